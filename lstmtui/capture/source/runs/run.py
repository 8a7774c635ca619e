"""A run: one module instance, or one function, over time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from lstmtui.capture.source.bindings import Binding, Call, Instance
from lstmtui.capture.source.runs.streams import Handed


@dataclass(eq=False)
class Run:
    """One module instance, or one function, over time."""

    path: str
    """Where the module is, with @2, @3 … for its further runs; of a function its name."""
    name: str
    """What runs: the module's class, or the function."""
    call: Call
    """Its first call."""
    calls: int = 0
    """How many calls the rounds come from."""
    rounds: list[list[Binding]] = field(default_factory=list)
    """What each round bound, in order."""
    outside: list[Binding] = field(default_factory=list)
    """What was bound before and after the rounds, in order."""
    passes: int = 0
    """Of the loops in its calls that its rounds are; 0: they are calls, each with its own locals."""
    stretches: list[tuple[Call, int]] = field(default_factory=list)
    """The calls that go on from one another, each with how many rounds it has; empty where there is one."""
    handed: list[Handed] = field(default_factory=list)
    """What each of these but the first was given of what the one before it had left."""
    ran: Mapping[Instance, frozenset[int]] = field(default_factory=dict)
    """The lines of each function that ran; of any other, all may have."""
    within: Run | None = None
    """The run in whose rounds its calls are."""
    beside: Run | None = None
    """Of several loops of a function the first, which has what was bound outside of all."""

    raising: Call | None = None
    """What raised the exception that has ended it."""

    def add(self, number: int, bindings: Iterable[Binding]) -> None:
        """Put bindings into a round; −1: outside of all."""
        self.reach(number)
        into = self.outside if number < 0 else self.rounds[number]
        into += bindings

    def reach(self, number: int) -> None:
        """Have at least this round, even where it binds nothing."""
        while len(self.rounds) <= number:
            self.rounds.append([])

    def stretch_of(self, binding: Binding) -> int:
        """Which of calls that go on from one another a binding was in, from 0."""
        begun = bisect_right(self.stretches, binding.call.number, key=lambda stretch: stretch[0].number)
        return max(0, begun - 1)

    def lines_between(self, calls: Iterable[Call], lines: Collection[int]) -> Collection[int]:
        """The lines that ran in calls of a function, from the first of these to the last."""
        between = frozenset(range(min(lines), max(lines) + 1))
        ran = [self.ran.get(instance, between) for instance in {call.instance for call in calls}]
        return between & frozenset(lines).union(*ran)

    def before(self) -> list[Binding]:
        """What its function bound before the first round."""
        first = next((own[0].order for own in self.rounds if own), None)
        outside = self.outside if self.beside is None else [*self.beside.outside, *self.outside]
        return [b for b in outside if first is None or b.order < first]

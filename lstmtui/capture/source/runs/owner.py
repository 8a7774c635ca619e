"""Everything that one module instance or function did, before it is put together into runs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from lstmtui.capture.source.bindings import Call
from lstmtui.capture.source.runs.executions import Rounds, depth_of
from lstmtui.capture.source.runs.run import Run
from lstmtui.capture.source.runs.time_loops import Loop, Place, loops_over_time, pass_of, passes_of

Spot = tuple["Run | None", int]
"""A round of a run; None: outside of the rounds."""


@dataclass(eq=False)
class Owner:
    """Everything that one module instance or function did."""

    path: str
    name: str
    calls: list[Call] = field(default_factory=list)
    places: dict[int, list[Place]] = field(default_factory=lambda: defaultdict(list))
    """By the number of an own call: the loops in which something was bound or called in it."""
    ends: dict[int, list[Place]] = field(default_factory=lambda: defaultdict(list))
    """By the number of an own call: the last pass of each loop in it."""
    inner: dict[int, list[Call]] = field(default_factory=lambda: defaultdict(list))
    """By the number of an own call: that one and the calls within it that are in no loop."""
    loops: dict[int, dict[Loop, int]] = field(default_factory=dict)
    """By the number of an own call: its loops over time, with how many passes each has."""
    runs: list[Run] = field(default_factory=list)
    spots: dict[int, Callable[[Place], Spot]] = field(default_factory=dict)
    """By the number of an own call: the round of what ran in these loops of it."""

    def choose_loops(
        self,
        sizes: Collection[int],
        is_round: Callable[[Call, Loop, Loop, Mapping[Loop, int]], bool],
        goes_on: Callable[[Call, Loop], bool],
        is_over_layers: Callable[[Call, Loop], bool],
        is_depth: Callable[[Call, Loop], bool],
    ) -> None:
        """Say which loops of the calls are over time: of several calls those that most would have alone.

        Args:
            sizes: of the axes of the input that may be time.
            is_round: as `loops_over_time` takes it, of a call.
            goes_on: the same.
            is_over_layers: the same.
            is_depth: the same.
        """
        for call in self.calls:
            places, ends = self.places[call.number], self.ends[call.number]
            self.loops[call.number] = loops_over_time(
                places,
                sizes,
                ends,
                partial(is_round, call),
                partial(goes_on, call),
                partial(is_over_layers, call),
                partial(is_depth, call),
            )
        votes = Counter(loop for loops in self.loops.values() for loop in loops)
        common = [loop for loop, count in votes.items() if 2 * count > len(self.calls) > 1]
        for number, loops in self.loops.items():
            every = {**passes_of(self.places[number]), **loops} if common else {}
            self.loops[number] = {loop: every[loop] for loop in common if loop in every} or loops


def in_loops(loops: Sequence[tuple[Loop, Run, int]], first: Run) -> Callable[[Place], Spot]:
    """What says the round: that of a pass of one of these loops, counted from a round of its run."""

    def spot(place: Place) -> Spot:
        for loop, run, start in loops:
            number = pass_of(place, loop)
            if number is not None:
                return run, start + number
        return first, -1

    return spot


def in_executions(rounds: Sequence[tuple[Rounds, Run]], first: Run) -> Callable[[Place], Spot]:
    """What says the round: that of a pass of an execution of one of these loops, counted from its first.

    What a function binds before and after its loop is of the run of that loop.
    """
    around = {key[:-1]: run for own, run in reversed(rounds) for key in own.starts}

    def spot(place: Place) -> Spot:
        last: Spot = around.get(place, first), -1
        for own, run in rounds:
            depth = depth_of(place, own.loop)
            if depth >= 0:
                number = place[depth][1]
                start = own.starts.get((*place[:depth], (own.loop[-1], 0)), -1) if own.starts else 0
                if start >= 0:
                    return run, start + number
                last = run, own.passes + number  # nothing was bound in that execution
        return last

    return spot


def always(spot: Spot) -> Callable[[Place], Spot]:
    """Whatever ran is of one round."""
    return lambda place: spot

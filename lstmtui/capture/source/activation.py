"""One call of a function that is traced: what its names were bound to, looked at line by line."""

from __future__ import annotations

from types import FrameType
from typing import Any

from torch import Tensor

from lstmtui.capture.source.attributes import held, put
from lstmtui.capture.source.bindings import Call, Passes
from lstmtui.capture.source.code_facts import CodeFacts, Stretch
from lstmtui.capture.source.collection import Collection
from lstmtui.capture.source.loops import Counter
from lstmtui.capture.source.tensors import tensors_in
from lstmtui.models.torch_compat import version_of

MOST_ITEMS = 8
"""The tensors of a tuple or a list that are looked at, as names of their own."""

_NOTHING: list[str] = []
_NONE: frozenset[str] = frozenset()


class Activation:
    """A frame that runs, and what was seen of it.

    Args:
        collection: what it adds to.
        facts: of its code.
        call: what is told of it.
        outer: the passes of loops that it is in as part of another call, where it is a comprehension.
    """

    __slots__ = (
        "_collection",
        "_counter",
        "_filling",
        "_outer",
        "_raising",
        "_stretch",
        "_stretches",
        "_tracked",
        "call",
        "facts",
        "other",
        "raised",
    )

    def __init__(self, collection: Collection, facts: CodeFacts, call: Call, outer: Passes = ()) -> None:
        self._collection, self.facts, self.call, self._outer = collection, facts, call, outer
        self._counter = Counter(facts.loops)
        self._tracked: dict[str, tuple[Tensor, int]] = {}
        """What names are bound to, and how often it had been written into then."""
        self._filling: dict[str, tuple[int, str]] = {}
        """The tensors that a loop fills place by place: the line, and why they have no derivative."""
        self._stretch: Stretch | None = None
        """What runs; None before the first line."""
        self._stretches = facts.stretches
        self._raising = False
        self.raised: tuple[BaseException, int] | None = None
        self.other: Any = None
        """The local trace function of another tracer."""

    @property
    def line(self) -> int:
        """The line that runs."""
        return 0 if self._stretch is None else self._stretch.line

    @property
    def passes(self) -> Passes:
        """The loops that it is in."""
        return self._outer + self._counter.passes

    def begin(self, frame: FrameType) -> None:
        """Look at the arguments."""
        local = frame.f_locals
        facts = self.facts
        noted = set[str]()
        for name in facts.arguments:
            value = local.get(name)
            if isinstance(value, Tensor):
                self._bind(local, name, value, 0, "")
            elif value is not None and name not in facts.unpacked:
                for place, item in tensors_in(value)[:MOST_ITEMS]:
                    self._note(name + place, item, 0, "")
                    noted.add(name + place)
        for name in facts.attributes:
            value = held(local, name)
            if isinstance(value, Tensor) and name not in noted:
                self._bind(local, name, value, 0, "")

    def enter(self, frame: FrameType) -> None:
        """Take over a frame that is running already: what its names are bound to is as arguments are."""
        local = frame.f_locals
        for name, value in list(local.items()):
            if isinstance(value, Tensor):
                self._bind(local, name, value, 0, "")
        self._stretch = self.facts.stretch(frame.f_lasti)
        self._counter.move(frame.f_lasti)

    def line_begins(self, frame: FrameType) -> None:
        """Another line begins: what the one before it bound is there."""
        before = self._stretch
        stretch = self._stretches.get(frame.f_lasti) or self.facts.stretch(frame.f_lasti)
        if stretch.is_start:
            self._counter.first_pass(stretch.offset)
        if before is not None:
            changed = self._changed() if before.writes else _NOTHING
            local = frame.f_locals if changed or before.names or self._filling else None
            if changed or before.names:
                self._look(local, before, changed, before.entered if before.loop in stretch.around else _NONE)
            if self._filling and stretch.around[:1] != before.around[:1]:
                self._filled(local)
        if stretch.is_start or before is None or stretch.around is not before.around:
            if before is not None and before.around and stretch.around is not before.around:
                self._loops_end(before, stretch.around)
            self._counter.move(stretch.offset)
        self._stretch = stretch
        self._raising = False
        if stretch.is_start and len(stretch.around) == 1:
            self._collection.begin_pass(self._counter.passes[0][1])

    def leave(self, frame: FrameType) -> bool:
        """The frame returns, yields or is left by an exception; returns whether by an exception."""
        has_raised = frame.f_lasti not in self.facts.leaves
        local = frame.f_locals
        if self._stretch is not None:
            self._raising |= has_raised
            self._look(local, self._stretch, self._changed(), _NONE)
            if self._filling:
                self._filled(local)
            if self._stretch.around and (has_raised or not self.facts.is_suspended):
                self._loops_end(self._stretch, (), has_raised=has_raised)
        return has_raised

    def exception(self, frame: FrameType, value: BaseException) -> None:
        """An exception is raised here, or comes out of a call that was made here."""
        self._raising = True
        if self.raised is None or self.raised[0] is not value:
            self.raised = value, frame.f_lineno
            self.call.raised_passes = self.passes

    def _loops_end(self, last: Stretch, around: tuple[int, ...], *, has_raised: bool = False) -> None:
        """Take note of how many passes the loops had that are left.

        Args:
            last: what ran last in them.
            around: the loops that what follows is in.
            has_raised: whether an exception leaves them.
        """
        passes = self.passes
        outer = len(passes) - len(last.around)
        for depth, number in enumerate(last.around, start=outer):
            # The last pass of a while loop may do no more than see that there is nothing left to do.
            if number in around or not (has_raised or self.facts.loops.loops[number].is_for):
                continue
            line, at = passes[depth]
            # A loop that takes no further item ends where a pass would begin.
            is_over = last.is_start and depth == len(passes) - 1 and not has_raised
            furthest = (*passes[:depth], (line, at - is_over))
            key = tuple(line for line, _ in furthest)
            reached = self.call.reached = self.call.reached or {}
            if furthest[-1][1] > reached.get(key, ((0, -1),))[-1][1]:
                reached[key] = furthest

    def _changed(self) -> list[str]:
        """The names of tensors that were written into."""
        return [name for name, (tensor, count) in self._tracked.items() if version_of(tensor) != count]

    def _filled(self, local: Any) -> None:
        """A loop has ended that wrote one place of a tensor in each pass: its name is bound to all of it."""
        for name, (line, why) in self._filling.items():
            value = held(local, name)
            if isinstance(value, Tensor):
                self._bind(local, name, value, line, why, self._outer)
        self._filling.clear()

    def _look(self, local: Any, stretch: Stretch, changed: list[str], entered: frozenset[str]) -> None:
        """See what the names are bound to after a stretch has run.

        Args:
            local: the names of the frame.
            stretch: which.
            changed: the names of tensors that were written into.
            entered: the names that were bound to the next item of a loop.
        """
        tracked = self._tracked
        sure = _NONE if self._raising else stretch.sure | entered if entered else stretch.sure
        for name, counters in stretch.fills if changed else ():
            if name in changed and any(type(local.get(counter)) is int for counter in counters):
                changed.remove(name)
                tensor, _ = self._tracked[name]
                self._tracked[name] = tensor, version_of(tensor)
                self._filling[name] = stretch.line, stretch.why
        for name in stretch.names:
            value = held(local, name) if "." in name or "[" in name else local.get(name)
            if isinstance(value, Tensor):
                before = tracked.get(name)
                if name in sure or before is None or before[0] is not value or name in changed:
                    self._bind(local, name, value, stretch.line, stretch.why)
            else:
                tracked.pop(name, None)
                if name in sure and name not in self.facts.unpacked and type(value) is not list:
                    self._look_inside(name, value, stretch)
        for name in changed:
            if name not in stretch.names:
                self._look_again(name, local, stretch)

    def _look_again(self, name: str, local: Any, stretch: Stretch) -> None:
        """A tensor was written into that a name was bound to, and may still be."""
        tensor, _ = self._tracked[name]
        value = held(local, name)
        if value is not tensor:
            del self._tracked[name]
        elif self._collection.tensors.has_other_numbers(tensor):
            self._bind(local, name, tensor, stretch.line, stretch.why)
        else:
            self._tracked[name] = tensor, version_of(tensor)

    def _look_inside(self, name: str, value: Any, stretch: Stretch) -> None:
        """The tensors of a tuple, a dict or a dataclass that no name was bound to yet."""
        for place, item in tensors_in(value)[:MOST_ITEMS]:
            if not self._collection.tensors.is_known(item):
                self._note(name + place, item, stretch.line, stretch.why)

    def _bind(
        self, local: Any, name: str, value: Tensor, line: int, why: str, passes: Passes | None = None
    ) -> None:
        passes = self.passes if passes is None else passes
        replacements = self._collection.replacements
        if replacements is not None:
            other = replacements.instead(self.call, name, line, passes, value)
            if other is not value:
                put(local, name, other)
                value = other
        if not value.is_inference():  # which do not count how often they are written into
            self._tracked[name] = value, version_of(value)
        self._note(name, value, line, why, passes)

    def _note(self, name: str, value: Tensor, line: int, why: str, passes: Passes | None = None) -> None:
        collection = self._collection
        passes = self.passes if passes is None else passes
        binding = collection.tensors.bind(value, next(collection.orders), self.call, name, line, passes, why)
        if binding is not None:
            collection.bindings.append(binding)

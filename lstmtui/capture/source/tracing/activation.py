"""One call of a function that is traced: what its names were bound to, looked at line by line."""

from __future__ import annotations

from collections.abc import Sequence
from types import FrameType
from typing import Any

from torch import Tensor

from lstmtui.capture.source.bindings import RETURNED, Call, Passes
from lstmtui.capture.source.code.code_facts import CodeFacts
from lstmtui.capture.source.code.paths import Item, Path
from lstmtui.capture.source.code.stretches import Stretch
from lstmtui.capture.source.tracing.attributes import WithGlobals, held, is_item
from lstmtui.capture.source.tracing.collection import Collection
from lstmtui.capture.source.tracing.pass_counter import PassCounter
from lstmtui.capture.source.tracing.tensors import MOST_ITEMS, READ_MEANWHILE, Named, tensors_in
from lstmtui.models.torch_compat import version_of, written

_NOTHING: list[str] = []
_START = Stretch(0, writes=False)


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
        "_paths",
        "_tracked",
        "call",
        "facts",
        "frame",
        "other",
        "path",
        "raised",
    )

    def __init__(self, collection: Collection, facts: CodeFacts, call: Call, outer: Passes = ()) -> None:
        self._collection, self.facts, self.call, self._outer = collection, facts, call, outer
        self._counter = PassCounter(facts.loops)
        self._tracked: dict[str, tuple[Tensor, int]] = {}
        """What names are bound to, and how often it had been written into then."""
        self._filling: dict[str, tuple[int, str]] = {}
        """The tensors that a loop fills place by place: the line, and why they have no derivative."""
        self._paths = paths = collection.paths[id(facts.code), id(call.owner)]
        self.path = paths.get(_START.offset) or paths.setdefault(_START.offset, Path(facts, _START))
        """What has run since the names were looked at, and what runs."""
        self.frame: FrameType | None = None
        """The frame, while it runs."""
        self.raised: tuple[BaseException, int] | None = None
        self.other: Any = None
        """The local trace function of another tracer."""

    @property
    def line(self) -> int:
        """The line that runs."""
        return self.path.last.line

    @property
    def passes(self) -> Passes:
        """The loops that it is in."""
        return self._outer + self._counter.passes

    def begin(self, frame: FrameType) -> None:
        """Look at the arguments."""
        local = self._names(frame)
        facts = self.facts
        noted = set[str]()
        for name in facts.arguments:
            value = local.get(name)
            if isinstance(value, Tensor):
                self._bind(local, [(name, value, version_of(value), 0, "")])
            elif value is not None and name not in facts.unpacked:
                inside = [
                    (name + place, item, version_of(item), 0, "")
                    for place, item in tensors_in(value)[:MOST_ITEMS]
                ]
                self._collection.bind(self.call, self.passes, inside)
                noted.update(named[0] for named in inside)
        for name in facts.attributes:
            value = held(local, name)
            if isinstance(value, Tensor) and name not in noted:
                self._bind(local, [(name, value, version_of(value), 0, "")])

    def enter(self, frame: FrameType) -> None:
        """Take over a frame that is running already: what its names are bound to is as arguments are."""
        local = self._names(frame)
        for name, value in list(local.items()):
            if isinstance(value, Tensor):
                self._bind(local, [(name, value, version_of(value), 0, "")])
        self.path = self._begun(frame.f_lasti)
        self._counter.begin(frame.f_lasti)

    def line_begins(self, frame: FrameType) -> None:
        """Another line begins: what the one before it bound is there, and is looked at now or later."""
        offset = frame.f_lasti
        path, before = self.path, self.path.last
        changed = written(self._tracked) if path.may_have_written else _NOTHING
        if not changed and self._collection.replacements is None:
            longer = path.longer[offset] if offset in path.longer else path.go_on(offset)
            if longer is not None:
                self.path = longer
                return
        following = self._paths.get(offset) or self._begun(offset)
        stretch = following.last
        if stretch.is_start:
            self._counter.first_pass(stretch.offset)
        is_entered = before.loop in stretch.around
        if not is_entered:
            self._leave_loop(before)
        if changed or path.items or self._filling:
            local = self._names(frame)
            self._look(local, path.items, before, changed, is_entered=is_entered)
            if self._filling and stretch.around[:1] != before.around[:1]:
                self._filled(local)
        if stretch.is_start or stretch.around is not before.around:
            if before.around and stretch.around is not before.around:
                self._loops_end(before, stretch.around)
            self._counter.move(stretch.offset)
        self.path = following
        if stretch.is_start and len(stretch.around) == 1:
            self._collection.begin_pass(self, self._counter.passes[0][1])

    def catch_up(self) -> None:
        """Look at what the lines bound before the one that runs, which may write into it now."""
        path, frame = self.path, self.frame
        if path.earlier and frame is not None:
            self._look(self._names(frame), path.earlier, path.last, _NOTHING)
            self.path = Path(self.facts, path.last)
            self.path.may_have_written = True

    def leave(self, frame: FrameType) -> bool:
        """The frame returns, yields or is left by an exception; returns whether by an exception."""
        has_raised = frame.f_lasti not in self.facts.leaves
        if has_raised:
            self._stop()
        path, local = self.path, self._names(frame)
        is_suspended = self.facts.is_suspended and not has_raised
        if not (has_raised or is_suspended):
            self._leave_loop(path.last)
        if path.last is not _START:
            self._look(local, path.items, path.last, written(self._tracked))
            if self._filling:
                self._filled(local)
            if path.last.around and (has_raised or not self.facts.is_suspended):
                self._loops_end(path.last, (), has_raised=has_raised)
            self.path = self._begun(
                self.facts.stretches.after(frame.f_lasti) if is_suspended else path.last.offset
            )
        self.frame = None
        return has_raised

    def returns(self, value: Any) -> None:
        """It has returned: take note of what, where no name was bound to that."""
        places = [("", value)] if isinstance(value, Tensor) else tensors_in(value)
        tensors = self._collection.tensors
        self._look_inside(RETURNED, places[:MOST_ITEMS], self.path.last)
        if places:
            self.call.returned = tensors.identity_of(places[0][1])

    def exception(self, frame: FrameType, value: BaseException) -> None:
        """An exception is raised here, or comes out of a call that was made here."""
        self._stop()
        if self.raised is None or self.raised[0] is not value:
            self.raised = value, frame.f_lineno
            self.call.raised_passes = self.passes

    def _leave_loop(self, last: Stretch) -> None:
        if last.loop in last.around:  # it asked for a further item, and found none
            self._loops_end(last, last.around[: last.around.index(last.loop)])
            self._counter.leave(last.loop)

    def _loops_end(self, last: Stretch, around: tuple[int, ...], *, has_raised: bool = False) -> None:
        """Take note of how many passes the loops had that what ran last is in, and what follows is not."""
        for passes in self._counter.ended(around, is_at_start=last.is_start, has_raised=has_raised):
            self.call.reach(self._outer + passes)
        if not around:
            self._collection.end_loops(self)

    def _names(self, frame: FrameType) -> Any:
        """The names of the frame, with the global ones that it binds."""
        return WithGlobals(frame, self.facts.globals) if self.facts.globals else frame.f_locals

    def _stop(self) -> None:
        """The line that runs does not get to its end, as far as one can tell."""
        self.catch_up()
        self.path = Path(self.facts, self.path.last, is_sure=False)

    def _begun(self, offset: int) -> Path:
        """A path that begins with what runs from an instruction on."""
        if offset not in self._paths:
            self._paths[offset] = Path(self.facts, self.facts.stretches.of(offset))
        return self._paths[offset]

    def _filled(self, local: Any) -> None:
        """A loop has ended that wrote one place of a tensor in each pass: its name is bound to all of it."""
        for name, (line, why) in self._filling.items():
            value = held(local, name)
            if isinstance(value, Tensor):
                self._bind(local, [(name, value, version_of(value), line, why)], self._outer)
        self._filling.clear()

    def _look(
        self,
        local: Any,
        items: Sequence[Item],
        last: Stretch,
        changed: list[str],
        *,
        is_entered: bool = False,
    ) -> None:
        """See what names are bound to.

        Args:
            local: the names of the frame.
            items: the names that may have been bound.
            last: what ran last.
            changed: the names of tensors that were written into.
            is_entered: whether a loop has taken its next item last.
        """
        tracked, empty = self._tracked, self.facts.empty
        for name, counters, is_read in last.fills if changed else ():
            if name in changed and any(type(local.get(counter)) is int for counter in counters):
                changed.remove(name)
                tensor, _ = tracked[name]
                tracked[name] = tensor, version_of(tensor)
                self._filling[name] = last.line, READ_MEANWHILE if is_read else last.why
        bound: list[Named] = []
        for name, stretch, is_bound, is_place in items:
            value = held(local, name) if is_place else local.get(name)
            is_sure = is_bound or (is_bound is None if is_entered else name in stretch.left)
            if isinstance(value, Tensor):
                if not is_sure and name in tracked and tracked[name][0] is value and name not in changed:
                    continue
                if is_place and bound:
                    self._bind(local, bound)
                    bound = []
                if (is_place or not is_sure) and self._has_name(name, value, is_place=is_place):
                    continue
                version = version_of(value)
                if empty and (stretch.line, name) in empty:
                    tracked[name] = value, version
                else:
                    bound.append((name, value, version, stretch.line, stretch.why))
                continue
            tracked.pop(name, None)
            is_unpacked = stretch.offset < self.facts.unpacked.get(name, -1)
            is_other = not is_unpacked and type(value) is not list
            if is_other and (inside := tensors_in(value)[:MOST_ITEMS]):
                self._bind(local, bound)
                bound = []
                self._look_inside(name, inside, stretch)
        self._bind(local, bound)
        for name in changed:
            if all(name != own[0] for own in items):
                self._look_again(name, local, last)

    def _has_name(self, name: str, value: Tensor, *, is_place: bool) -> bool:
        """Whether a tensor was bound where it was put into an item, or by a comprehension under this name."""
        if is_place:
            return is_item(name) and self._collection.tensors.is_known(value)
        return name in self.facts.shared and self._collection.has(self.call, name, value)

    def _look_again(self, name: str, local: Any, stretch: Stretch) -> None:
        """A tensor was written into that a name was bound to, and may still be."""
        tensor, value = self._tracked[name][0], held(local, name)
        has_values = (stretch.line, name) not in self.facts.empty
        if value is not tensor:
            del self._tracked[name]
        elif has_values and self._collection.tensors.has_other_numbers(tensor):
            self._bind(local, [(name, tensor, version_of(tensor), stretch.line, stretch.why)])
        else:
            self._tracked[name] = tensor, version_of(tensor)

    def _look_inside(self, name: str, items: list[tuple[str, Tensor]], stretch: Stretch) -> None:
        """Those tensors of a tuple, a dict or a dataclass that no name was bound to yet."""
        for place, item in items:
            if not self._collection.tensors.is_known(item):
                named = (name + place, item, version_of(item), stretch.line, stretch.why)
                self._collection.see(self.call, self.passes, named)

    def _bind(self, local: Any, bound: list[Named], passes: Passes | None = None) -> None:
        passes = self.passes if passes is None else passes
        if (replacements := self._collection.replacements) is not None:
            bound = [replacements.put(local, self.call, passes, named) for named in bound]
        for name, value, version, _, _ in bound:
            self._tracked[name] = value, version
        self._collection.bind(self.call, passes, bound)

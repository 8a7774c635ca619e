"""One call of a function that is traced: what its names were bound to, looked at line by line."""

from __future__ import annotations

from types import FrameType
from typing import Any

from torch import Tensor, nn

from lstmtui.capture.source.bindings import Binding, Call, Passes
from lstmtui.capture.source.code_facts import CodeFacts, Stretch
from lstmtui.capture.source.collection import Collection
from lstmtui.capture.source.loops import Counter
from lstmtui.capture.source.tensors import tensors_in
from lstmtui.models.torch_compat import version_of

MOST_ITEMS = 8
"""The tensors of a tuple or a list that are looked at, as names of their own."""


class Activation:
    """A frame that runs, and what was seen of it.

    Args:
        collection: what it adds to.
        facts: of its code.
        call: what is told of it.
        outer: the passes of loops that it is in as part of another call, where it is a comprehension.
    """

    __slots__ = (
        "_at",
        "_bound",
        "_collection",
        "_counter",
        "_outer",
        "_raising",
        "_versions",
        "call",
        "facts",
        "other",
        "raised",
    )  # fmt: skip

    def __init__(self, collection: Collection, facts: CodeFacts, call: Call, outer: Passes = ()) -> None:
        self._collection, self.facts, self.call, self._outer = collection, facts, call, outer
        self._counter = Counter(facts.loops)
        self._bound: dict[str, Tensor] = {}
        self._versions: dict[str, int] = {}
        self._at = -1
        self._raising = False
        self.raised: tuple[BaseException, int] | None = None
        self.other: Any = None
        """The local trace function of another tracer."""

    @property
    def line(self) -> int:
        """The line that runs."""
        return self.facts.stretch(self._at).line

    @property
    def passes(self) -> Passes:
        """The loops that it is in."""
        return self._outer + self._counter.passes

    def begin(self, frame: FrameType) -> None:
        """Look at the arguments."""
        local = frame.f_locals
        facts = self.facts
        for name in facts.arguments:
            value = local.get(name)
            if isinstance(value, Tensor):
                self._bind(frame, local, name, value, 0, "")
            elif name not in facts.unpacked:
                for place, item in tensors_in(value)[:MOST_ITEMS]:
                    self._note(name + place, item, 0, "")
        for name in facts.attributes:
            value = _attribute(local, name)
            if isinstance(value, Tensor):
                self._bind(frame, local, name, value, 0, "")

    def enter(self, frame: FrameType) -> None:
        """Take over a frame that is running already: what its names are bound to is as arguments are."""
        local = frame.f_locals
        for name, value in list(local.items()):
            if isinstance(value, Tensor):
                self._bind(frame, local, name, value, 0, "")
        self._at = frame.f_lasti
        self._counter.move(self._at)

    def line_begins(self, frame: FrameType) -> None:
        """Another line begins: what the one before it bound is there."""
        offset = frame.f_lasti
        counter = self._counter
        if offset in self.facts.loops.starts:
            counter.first_pass(offset)
        if self._at >= 0:
            self._look(frame)
        counter.move(offset)
        self._at = offset
        self._raising = False

    def leave(self, frame: FrameType) -> bool:
        """The frame returns, yields or is left by an exception; returns whether by an exception."""
        offset = frame.f_lasti
        if self._at >= 0:
            self._raising |= offset not in self.facts.leaves
            self._look(frame)
        return offset not in self.facts.leaves

    def exception(self, frame: FrameType, value: BaseException) -> None:
        """An exception is raised here, or comes out of a call that was made here."""
        self._raising = True
        if self.raised is None or self.raised[0] is not value:
            self.raised = value, frame.f_lineno
            self.call.raised_passes = self.passes

    def _look(self, frame: FrameType) -> None:
        stretch = self.facts.stretch(self._at)
        bound, versions = self._bound, self._versions
        changed = [name for name, tensor in bound.items() if version_of(tensor) != versions[name]]
        names = stretch.sure + stretch.maybe + self.facts.shared
        if not changed and not names:
            return
        local = frame.f_locals
        is_sure = not self._raising
        for name in names:
            value = local.get(name) if "." not in name else _attribute(local, name)
            before = bound.get(name)
            if not isinstance(value, Tensor):
                if before is not None:
                    del bound[name], versions[name]
                if value is not None and is_sure and name in stretch.sure:
                    self._look_inside(name, value, stretch)
            elif value is not before or name in changed or (is_sure and name in stretch.sure):
                self._bind(frame, local, name, value, stretch.line, _why(stretch))
        for name in changed:
            if name in names:
                continue
            now = local.get(name) if "." not in name else _attribute(local, name)
            tensor = bound.get(name)
            if now is not tensor or tensor is None:
                bound.pop(name, None)
            elif self._collection.tensors.is_changed(tensor):
                self._bind(frame, local, name, tensor, stretch.line, _why(stretch))
            else:
                versions[name] = version_of(tensor)

    def _look_inside(self, name: str, value: Any, stretch: Stretch) -> None:
        """The tensors of a tuple that no name was bound to yet."""
        if not isinstance(value, tuple) or name in self.facts.unpacked:
            return
        for place, item in tensors_in(value)[:MOST_ITEMS]:
            if not self._collection.tensors.is_known(item):
                self._note(name + place, item, stretch.line, _why(stretch))

    def _bind(self, frame: FrameType, local: Any, name: str, value: Tensor, line: int, why: str) -> None:
        self._bound[name], self._versions[name] = value, version_of(value)
        self._note(name, value, line, why)

    def _note(self, name: str, value: Tensor, line: int, why: str) -> None:
        collection = self._collection
        seen = collection.tensors.look(value)
        if seen is None:
            return
        if seen.absent == "requires none" and why:
            seen.absent = why
        binding = Binding(
            next(collection.orders), self.call, name, line, self.passes, seen.copy, seen.number, seen.leaf,
            seen.absent, seen.gradients,
        )  # fmt: skip
        seen.bindings.append(binding)
        collection.bindings.append(binding)


def _why(stretch: Stretch) -> str:
    """Why what a stretch computes has no derivative, where its words tell."""
    return "detached" if stretch.words & {"detach", "detach_", "data"} else ""


def _attribute(local: Any, written: str) -> Any:
    """What self.hidden is, without running code of the user's; None where it is not kept in the object."""
    first, *names = written.split(".")
    value = local.get(first)
    for name in names:
        attributes = getattr(value, "__dict__", None)
        if not isinstance(attributes, dict):
            return None
        if name in attributes:
            value = attributes[name]
        elif isinstance(value, nn.Module):
            buffers, modules = attributes.get("_buffers", {}), attributes.get("_modules", {})
            value = buffers.get(name, modules.get(name))
        else:
            return None
    return value

"""Calls that run again on the way back, as activation checkpoints have them, told from one another.

What a re-entrant checkpoint holds is run without a graph at first. When backward comes to it, it is run
again with one, and goes backward through that: then the derivatives of the call of the forward are those of
the call that repeats it. A checkpoint that is not re-entrant runs again only for the tensors that its graph
lacks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from lstmtui.capture.autograd_state import Graph
from lstmtui.capture.recording import Repeatable
from lstmtui.capture.to_numpy import numpy_of
from lstmtui.models.torch_compat import current_node


@dataclass(eq=False)
class TappedCall:
    """A call of a recurrent module."""

    module: nn.Module
    graph: Graph
    parts: Sequence[Repeatable]
    """What it is recorded in, in the order of its layers and directions."""
    inputs: bytes = b""
    """A digest of x and the states before; only where the call may be repeated, or repeats one."""
    repeated: bool = False

    def repeats(self, other: TappedCall) -> bool:
        """Whether this is that call once more."""
        return self.module is other.module and self.inputs == other.inputs

    def give(self, other: TappedCall) -> None:
        """Let the derivatives that will come to this call be those of another."""
        other.repeated = True
        for mine, theirs in zip(self.parts, other.parts, strict=True):
            mine.stands_for = theirs


@dataclass
class Recomputation:
    """The calls of one forward, and those that repeat some of them."""

    calls: list[TappedCall] = field(default_factory=list)
    """Of the forward, in order."""
    _places: dict[tuple[int, bytes], list[int]] = field(default_factory=dict)
    """Where in `calls` those of a module with the same inputs are."""
    _pending: list[tuple[Any, list[TappedCall]]] = field(default_factory=list)
    """Repeated calls by the node that backward was at, until it comes through one of them."""

    def add(self, call: TappedCall) -> None:
        """A call of the forward."""
        if call.inputs:
            self._places.setdefault((id(call.module), call.inputs), []).append(len(self.calls))
        self.calls.append(call)

    def has(self, module: nn.Module, inputs: bytes) -> bool:
        """Whether a call of the forward may be repeated by one of this module with these inputs."""
        places = self._places.get((id(module), inputs), [])
        return any(not self.calls[place].repeated for place in places)

    def repeat(self, call: TappedCall) -> None:
        """A call on the way back."""
        node = current_node()
        group = next((calls for at, calls in self._pending if at is node), None)
        if group is None:
            group = []
            self._pending.append((node, group))
        group.append(call)
        for part in call.parts:
            part.before_backward = lambda: self._resolve(group)

    def reset(self) -> None:
        """The derivatives that have come back so far do not count."""
        self._pending = []
        for call in self.calls:
            call.repeated = False

    @property
    def is_possible(self) -> bool:
        """Whether some call may be repeated with a graph that the forward did not have."""
        return any(call.graph == "in a function" for call in self.calls)

    def _resolve(self, group: list[TappedCall]) -> None:
        """Find what a group repeats: backward has come to it, so that it is complete."""
        self._pending = [(node, calls) for node, calls in self._pending if calls is not group]
        for call in group:
            for part in call.parts:
                part.before_backward = None
        # Backward goes from the last call to the first, so of several that are alike it is the last.
        for start in reversed(self._places.get((id(group[0].module), group[0].inputs), [])):
            places = self.calls[start : start + len(group)]
            pairs = list(zip(group, places, strict=False))
            if len(places) == len(group) and all(
                again.repeats(call) and not call.repeated for again, call in pairs
            ):
                for again, call in pairs:
                    # A checkpoint within a checkpoint is repeated without a graph, and then with one.
                    if again.graph == "built" and call.graph == "in a function":
                        again.give(call)
                return


def digest_of(*tensors: Tensor) -> bytes:
    """What tells tensors with other values apart."""
    digest = hashlib.blake2b(digest_size=16)
    for tensor in tensors:
        digest.update(numpy_of(tensor).tobytes())
    return digest.digest()

"""Matches calls that run again in the backward pass, because of activation checkpoints, with the first ones.

What a re-entrant checkpoint holds is run without a graph at first. When backward comes to it, it is run
again with one, and goes backward through that: then the derivatives of the call of the forward are those of
the call that repeats it. A checkpoint that is not re-entrant runs again only for the tensors that its graph
lacks.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from lstmtui.capture.autograd_state import Graph, graph
from lstmtui.capture.recording import Repeatable
from lstmtui.capture.to_numpy import numpy_of
from lstmtui.models.torch_compat import current_node

NEAR = 0.02
"""How far the inputs of a call may be from those of the call it repeats, relative to their size. With and
without a graph PyTorch chooses other kernels (oneDNN's, attention's fast path), which round otherwise."""
SAMPLE = 256
"""Of how many numbers of a tensor at least the distance is taken, where it has as many."""


@dataclass(frozen=True, eq=False)
class CallInputs:
    """Identifies x and the states before a call, to tell one call from another."""

    digest: bytes
    sizes: tuple[torch.Size, ...]
    sample: Tensor
    """Some of the numbers."""

    def distance(self, other: CallInputs) -> float:
        """0 where they are the same to the bit, inf where they cannot be compared."""
        if self.digest == other.digest:
            return 0.0
        if self.sizes != other.sizes or not torch.equal(self.sample.isfinite(), other.sample.isfinite()):
            return math.inf
        mine, theirs = (sample.nan_to_num(0, 0, 0) for sample in (self.sample, other.sample))
        size = max(float(mine.norm()), float(theirs.norm()))
        # Never 0, which is for the same bits.
        return max(float((mine - theirs).norm()) / size, 1e-12) if size else 1e-12


@dataclass(eq=False)
class TappedCall:
    """A call of a recurrent module."""

    module: nn.Module
    graph: Graph
    parts: Sequence[Repeatable]
    """What it is recorded in, in the order of its layers and directions."""
    inputs: CallInputs | None = None
    """Only where the call may be repeated, or repeats one."""
    t: int = 0
    """The timestep of its run that it begins with."""
    repeated: bool = False

    def distance(self, other: TappedCall) -> float:
        """How far this is from being that call once more."""
        if self.module is not other.module or self.inputs is None or other.inputs is None or other.repeated:
            return math.inf
        return self.inputs.distance(other.inputs)

    def give(self, other: TappedCall) -> None:
        """Let another call receive the derivatives of this one."""
        other.repeated = True
        for mine, theirs in zip(self.parts, other.parts, strict=True):
            mine.stands_for = theirs


@dataclass
class Recomputation:
    """The calls of one forward pass, and those that repeat some of them."""

    calls: list[TappedCall] = field(default_factory=list)
    """Of the forward, in order."""
    _places: dict[int, list[int]] = field(default_factory=dict)
    """Where in `calls` those of a module are that may be repeated, by its id."""
    _pending: list[tuple[Any, list[TappedCall]]] = field(default_factory=list)
    """Repeated calls by the node that backward was at, until it comes through one of them."""

    def add(self, call: TappedCall) -> None:
        """Add a call of the forward pass."""
        if call.inputs is not None:
            self._places.setdefault(id(call.module), []).append(len(self.calls))
        self.calls.append(call)

    def distance(self, call: TappedCall) -> float:
        """How far a call is from repeating one of the forward; inf where there is none that it may repeat."""
        return self._nearest([call])[0]

    def timesteps_of(self, group: Sequence[TappedCall]) -> Sequence[int | None]:
        """With which timestep each of some calls begins that repeat others; None where it may be several.

        Args:
            group: what a checkpoint holds, in order.
        """
        distances = dict(self._distances(group)) if group else {}
        nearest = min(distances.values(), default=math.inf)
        alike = [start for start, distance in distances.items() if distance == nearest <= NEAR]
        steps = {tuple(call.t for call in self.calls[at : at + len(group)]) for at in alike}
        return steps.pop() if len(steps) == 1 else [None] * len(group)

    def repeat(self, call: TappedCall) -> None:
        """Add a call that is made during the backward pass."""
        node = current_node()
        group = next((calls for at, calls in self._pending if at is node), None)
        if group is None:
            group = []
            self._pending.append((node, group))
        group.append(call)
        for part in call.parts:
            part.before_backward = lambda: self._resolve(group)

    def reset(self) -> None:
        """Discard the derivatives that have come back so far."""
        self._pending = []
        for call in self.calls:
            call.repeated = False

    @property
    def is_possible(self) -> bool:
        """Whether some call may be repeated with a graph that the forward did not have."""
        return any(call.graph == "in a function" for call in self.calls)

    def _resolve(self, group: list[TappedCall]) -> None:
        """Find what a group repeats: backward has reached it, so that it is complete."""
        self._pending = [(node, calls) for node, calls in self._pending if calls is not group]
        for call in group:
            for part in call.parts:
                part.before_backward = None
        distance, start = self._nearest(group)
        if distance > NEAR:
            return
        for again, call in zip(group, self.calls[start : start + len(group)], strict=True):
            # A checkpoint within a checkpoint is repeated without a graph, and then with one.
            if again.graph == "built" and call.graph == "in a function":
                again.give(call)

    def _nearest(self, group: Sequence[TappedCall]) -> tuple[float, int]:
        """How far a group is from the calls it is nearest to, and where those begin."""
        nearest, at = math.inf, 0
        for start, distance in self._distances(group):
            if distance < nearest:
                nearest, at = distance, start
            if nearest == 0:
                break
        return nearest, at

    def _distances(self, group: Sequence[TappedCall]) -> Iterator[tuple[int, float]]:
        """Where calls begin that a group may repeat, and how far it is from those.

        Backward goes from the last call to the first, so of several that are alike it is the last.
        """
        for start in reversed(self._places.get(id(group[0].module), [])):
            calls = self.calls[start : start + len(group)]
            if len(calls) == len(group) and not calls[0].repeated:
                yield (
                    start,
                    _farthest(again.distance(call) for again, call in zip(group, calls, strict=True)),
                )


def _farthest(distances: Iterable[float]) -> float:
    """The largest; inf as soon as one is too large."""
    farthest = 0.0
    for distance in distances:
        farthest = max(farthest, distance)
        if farthest > NEAR:
            return math.inf
    return farthest


def tapped_call(
    module: nn.Module, parts: Sequence[Repeatable], inputs: Sequence[Tensor], t: int, *, may_repeat: bool
) -> TappedCall:
    """A call that has been made.

    Args:
        module: that was called.
        parts: what it is recorded in.
        inputs: x, and the states before it.
        t: the timestep of its run that it begins with.
        may_repeat: whether it may repeat another.
    """
    kind = graph()
    identified = inputs_of(*inputs) if may_repeat or kind == "in a function" else None
    return TappedCall(module, kind, parts, identified, t)


def inputs_of(*tensors: Tensor) -> CallInputs:
    """The hash, shapes and a sample of the inputs of a call, by which a repetition of it is recognised."""
    digest, samples = hashlib.blake2b(digest_size=16), []
    for tensor in tensors:
        digest.update(numpy_of(tensor).tobytes())
        flat = tensor.detach().flatten()
        samples.append(flat[:: max(flat.numel() // SAMPLE, 1)].to("cpu", torch.float64))
    return CallInputs(digest.digest(), tuple(tensor.shape for tensor in tensors), torch.cat(samples))

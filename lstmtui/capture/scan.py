"""One layer and direction as one node of the user's graph: recorded forward, and again on the way back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from lstmtui.capture.fused.method import Fused, NotFinite, applies
from lstmtui.capture.products import Precision
from lstmtui.capture.recording import Recording, Segment, SegmentDerivatives
from lstmtui.capture.unrolled import Unrolled
from lstmtui.models.unroll import States

METHODS = ("fused", "unrolled")
_wanted: ContextVar[str] = ContextVar("wanted", default="fused")


@contextmanager
def method(name: str) -> Iterator[None]:
    """Within this context layers are run in one way: "fused" where there is a kernel, or all "unrolled"."""
    assert name in METHODS
    token = _wanted.set(name)
    try:
        yield
    finally:
        _wanted.reset(token)


class Method(Protocol):
    """A way to run one layer and direction, segment by segment."""

    @property
    def length(self) -> int:
        """Timesteps of a segment."""

    @property
    def precision(self) -> Precision:
        """What its float32 products are rounded to."""

    def forward(self, x: Tensor, states: States, valid: Tensor | None) -> Segment:
        """Run a segment."""

    def backward(
        self,
        x: Tensor,
        states: States,
        valid: Tensor | None,
        segment: Segment,
        d_output: Tensor | None,
        d_finals: tuple[Tensor | None, ...],
    ) -> SegmentDerivatives:
        """Run a segment backwards."""


def record_scan(
    recording: Recording, x: Tensor, states: States, valid: Tensor | None, anchor: Tensor
) -> tuple[Tensor, States]:
    """Run a layer so that both its values and, when something is differentiated, its derivatives are kept.

    Args:
        recording: where everything is kept.
        x: (T, B, input), in the order the cell sees it.
        states: h, or h and c, before the run.
        valid: bool (T, B, 1), or None.
        anchor: a scalar leaf that requires a gradient, so that frozen parameters are no obstacle.

    Returns:
        h of every timestep (0 where not valid) and the last states, as parts of the autograd graph.
    """
    recording.valid = valid
    names = tuple(recording.parameters)
    output, *finals = _Scan.apply(  # type: ignore[no-untyped-call]
        recording, len(states), names, anchor, x, *states, *(recording.parameters[n] for n in names)
    )
    return output, tuple(finals)


@dataclass
class _Piece:
    """A segment that has been run forward."""

    start: int
    stop: int
    states: States
    """Before it."""
    method: Method
    segment: Segment


class _Scan(torch.autograd.Function):
    """The run as one node of the user's graph."""

    @staticmethod
    def forward(
        ctx: Any,
        recording: Recording,
        count: int,
        names: tuple[str, ...],
        anchor: Tensor,
        x: Tensor,
        *rest: Tensor,
    ) -> tuple[Tensor, ...]:
        states, parameters = rest[:count], dict(zip(names, rest[count:], strict=True))
        ctx.set_materialize_grads(False)
        ctx.recording, ctx.names = recording, names
        ctx.save_for_backward(x)
        recording.initial |= dict(zip(recording.cell.states, states, strict=True))
        # A checkpoint round this would take what the methods keep, to give it back from a second run.
        with torch.autograd.graph.saved_tensors_hooks(_as_it_is, _as_it_is):
            ctx.pieces, finals = _forward(recording, parameters, x.detach(), states)
        return recording.values.whole("h"), *(s.clone() for s in finals)

    @staticmethod
    def backward(ctx: Any, d_output: Tensor | None, *d_finals: Tensor | None) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            raise TypeError(
                "create_graph: a gradient of a recurrent layer's gradient (a gradient penalty) cannot be "
                "recorded; leave that term out of the model and the loss while recording"
            )
        (x,) = ctx.saved_tensors
        recording: Recording = ctx.recording
        target = recording.reached()
        before = _backward(recording, target, ctx.pieces, x.detach(), d_output, d_finals)
        d_x = target.derivatives.whole("x") if ctx.needs_input_grad[4] else None
        of_parameters = (target.parameter_derivatives[n] for n in ctx.names)
        return None, None, None, None, d_x, *before, *of_parameters


def _forward(
    recording: Recording, parameters: Mapping[str, Tensor], x: Tensor, states: States
) -> tuple[list[_Piece], States]:
    """Run forward, fused as far as it goes; returns the segments and the last states."""
    steps, batch = x.shape[:2]
    method: Method = Unrolled(recording.cell, parameters)
    if _wanted.get() == "fused" and applies(recording.cell, parameters, x, states):
        method = Fused(recording.cell, parameters, steps, batch)
    pieces: list[_Piece] = []
    start = 0
    while start < steps:
        stop = min(start + method.length, steps)
        valid = None if recording.valid is None else recording.valid[start:stop]
        now = x[start:stop].clone(memory_format=torch.contiguous_format)
        try:
            segment = method.forward(now, states, valid)
        except NotFinite:
            method = Unrolled(recording.cell, parameters)
            continue
        _keep(recording, start, {"x": now, **segment.values}, segment.gap, steps)
        segment.values = {}
        recording.precision = recording.precision or method.precision
        pieces.append(_Piece(start, stop, states, method, segment))
        states, start = segment.finals, stop
        recording.progress.advance(len(now))
    if any(piece.segment.gap is None for piece in pieces):
        recording.gap = None
    return pieces, states


def _keep(
    recording: Recording, start: int, values: Mapping[str, Tensor], gap: Tensor | None, steps: int
) -> None:
    for name, tensor in values.items():
        recording.values.put(name, start, tensor, steps)
    if gap is not None:
        recording.gap = gap if recording.gap is None else torch.maximum(recording.gap, gap)


def _as_it_is(tensor: Tensor) -> Tensor:
    return tensor


def _backward(
    recording: Recording,
    target: Recording,
    pieces: list[_Piece],
    x: Tensor,
    d_output: Tensor | None,
    d_states: tuple[Tensor | None, ...],
) -> tuple[Tensor | None, ...]:
    """Run backwards, the last segment first; returns the derivatives by the states before the run.

    Args:
        recording: what was run forward.
        target: what gets the derivatives.
        pieces: its segments.
        x: (T, B, input).
        d_output: ∂L/∂h by what follows, or None for 0.
        d_states: ∂L/∂ the last states; None for 0.
    """
    steps = len(x)
    for piece in reversed(pieces):
        part = slice(piece.start, piece.stop)
        valid, d_now = (None if t is None else t[part] for t in (recording.valid, d_output))
        known = recording.values.parts(piece.start, piece.stop)
        now = known.pop("x") if known else x[part].contiguous()
        piece.segment.values = known
        found = piece.method.backward(now, piece.states, valid, piece.segment, d_now, d_states)
        piece.segment.values = {}
        for name, derivative in found.derivatives.items():
            target.derivatives.put(name, piece.start, derivative, steps)
        target.add_parameter_derivatives(found.parameters)
        d_states = found.states
        recording.progress.advance(piece.stop - piece.start)
    target.initial |= {
        "d" + s: d for s, d in zip(recording.cell.states, d_states, strict=True) if d is not None
    }
    return d_states

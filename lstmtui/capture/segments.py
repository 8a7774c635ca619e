"""A layer run forward and backward, segment after segment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from lstmtui.capture.fused.method import Fused, NotFinite
from lstmtui.capture.products import Precision
from lstmtui.capture.recording import Recording
from lstmtui.capture.segment import Segment, SegmentDerivatives
from lstmtui.capture.unrolled import Unrolled
from lstmtui.models.unroll import States


class Method(Protocol):
    """A way to run one layer and direction, segment by segment."""

    @property
    def length(self) -> int:
        """Timesteps of a segment."""

    @property
    def keeps(self) -> bool:
        """Whether there is memory for all that is known of a segment until it is run backwards."""

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


@dataclass
class Piece:
    """A segment that has been run forward."""

    start: int
    stop: int
    states: States
    """Before it, on the device it is run on."""
    method: Method
    segment: Segment


def run_forward(
    recording: Recording, parameters: Mapping[str, Tensor], x: Tensor, states: States, *, fused: bool
) -> tuple[list[Piece], States]:
    """Run forward, fused as far as it goes.

    Args:
        recording: gets the values.
        parameters: by base name, on the device to run on.
        x: (T, B, input), in the order the cell sees it; it may be on the host.
        states: h, or h and c, before the run.
        fused: whether there is a kernel for it.

    Returns:
        The segments and the last states.
    """
    steps, batch = x.shape[:2]
    device = next(iter(parameters.values())).device
    method: Method = Unrolled(recording.cell, parameters)
    if fused:
        method = Fused(recording.cell, parameters, steps, batch)
    pieces: list[Piece] = []
    start = 0
    while start < steps:
        stop = min(start + method.length, steps)
        valid = None if recording.valid is None else recording.valid[start:stop]
        # A copy: x is the user's, whose next operation may change it.
        now = x[start:stop].to(device, copy=True, memory_format=torch.contiguous_format)
        try:
            segment = method.forward(now, states, valid)
        except NotFinite:
            method = Unrolled(recording.cell, parameters)
            continue
        values = {"x": now, **segment.values}
        _keep(recording, start, values, segment.gap, steps)
        segment.values = values if method.keeps and not recording.values.hands_back else {}
        recording.precision = recording.precision or method.precision
        pieces.append(Piece(start, stop, states, method, segment))
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


def run_backward(
    recording: Recording,
    target: Recording,
    pieces: list[Piece],
    x: Tensor,
    d_output: Tensor | None,
    d_states: tuple[Tensor | None, ...],
) -> tuple[Tensor | None, ...]:
    """Run backwards, the last segment first.

    Args:
        recording: what was run forward.
        target: what gets the derivatives.
        pieces: as `run_forward` gave them.
        x: as given to it.
        d_output: ∂L/∂h by what follows the layer, (T, B, units), or None for 0; it may be on the host.
        d_states: ∂L/∂ the last states; None for 0.

    Returns:
        The derivatives by the states before the run.
    """
    steps = len(x)
    for piece in reversed(pieces):
        part, device = slice(piece.start, piece.stop), piece.states[0].device
        valid = None if recording.valid is None else recording.valid[part]
        d_now = None if d_output is None else d_output[part].to(device)
        values = piece.segment.values or recording.values.parts(piece.start, piece.stop)
        now = values.pop("x") if values else x[part].to(device).contiguous()
        piece.segment.values = values
        segment = piece.method.backward(now, piece.states, valid, piece.segment, d_now, d_states)
        piece.segment.values = {}
        for name, derivative in segment.derivatives.items():
            target.derivatives.put(name, piece.start, derivative, steps)
        target.add_parameter_derivatives(segment.parameters)
        d_states = segment.states
        recording.progress.advance(piece.stop - piece.start)
    target.initial |= {
        "d" + s: d for s, d in zip(recording.cell.states, d_states, strict=True) if d is not None
    }
    return d_states

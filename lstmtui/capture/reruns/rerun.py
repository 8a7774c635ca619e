"""What-ifs: a recorded run, run again with other values from the first changed timestep on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from lstmtui.arrays import Array
from lstmtui.capture.progress import Progress, ProgressCallback
from lstmtui.capture.reruns.changed_layers import is_there_already, run_changed
from lstmtui.capture.reruns.head_and_loss import HeadAndLoss
from lstmtui.capture.reruns.recorded_stack import RecordedStack
from lstmtui.capture.reruns.what_if_arrays import WhatIfArrays
from lstmtui.capture.reruns.what_if_derivatives import (
    derivative_keys,
    derivatives,
    layer_derivative_keys,
    recorded_derivatives,
)
from lstmtui.capture.source.what_ifs.rerun import holds_source, rerun_source
from lstmtui.capture.to_numpy import numpy_of
from lstmtui.errors import UserError
from lstmtui.trace import Header, Trace
from lstmtui.trace.edits import Edit, LossAt
from lstmtui.trace.keys import EXTENT, NORMS
from lstmtui.wording import first_line


def rerun(
    trace: Trace,
    edits: Sequence[Edit] = (),
    loss_at: LossAt | None = None,
    progress: ProgressCallback | None = None,
) -> Trace:
    """The run of a trace with values put in place of those the equations make.

    Each layer and direction is run again from its first changed timestep; what lies before it, other
    sequences, and layers that nothing reaches are the recorded arrays. Derivatives are worked out in full
    when one of them is first asked for. A model whose code was recorded runs again as a whole.

    Args:
        trace: as it was recorded.
        edits: what is changed; where two meet, the later one counts.
        loss_at: what the gradients are taken of; None: the recorded loss.
        progress: called with (timesteps done, timesteps in all); raising `lstmtui.Cancelled` stops it.

    Raises:
        UserError: the trace does not hold what is needed, or the device or its memory is not there.
    """
    if holds_source(trace):
        return rerun_source(trace, edits, loss_at)
    stack = RecordedStack(trace)
    head_and_loss = HeadAndLoss(stack, [e for e in edits if e.quantity == "y"], loss_at)
    inner = [e for e in edits if e.quantity != "y"]
    try:
        with torch.no_grad():
            arrays = _recorded_values(trace)
            is_same = is_there_already(stack, edits)
            run_changed(stack, arrays, [] if is_same else inner, Progress(progress))
            header = _finish(stack, head_and_loss, arrays, edits, loss_at, is_same)
    except (RuntimeError, IndexError, ValueError, TypeError) as error:
        why = first_line(error)
        raise UserError(f"{trace.name}: cannot be run again: {why}") from error
    if head_and_loss.absent:
        return Trace(header, arrays)
    keys = derivative_keys(trace)
    if is_same and loss_at is None and keys <= set(trace.arrays):
        return Trace(header, WhatIfArrays(arrays, keys, lambda: recorded_derivatives(stack, edits)))
    return Trace(header, WhatIfArrays(arrays, keys, lambda: derivatives(stack, arrays, inner, head_and_loss)))


def _recorded_values(trace: Trace) -> dict[str, Array]:
    """Everything that the equations make or that they are given; nothing that depends on the loss."""
    left_out = {"y", "dy", *layer_derivative_keys(trace)}
    kinds = (NORMS, EXTENT, "parameter_gradients/")
    return {k: trace.arrays[k] for k in trace.arrays if k not in left_out and not k.startswith(kinds)}


def _finish(
    stack: RecordedStack,
    head_and_loss: HeadAndLoss,
    arrays: dict[str, Array],
    edits: Sequence[Edit],
    loss_at: LossAt | None,
    is_same: bool,
) -> Header:
    """Put y into `arrays`, and say in a header what this run is."""
    h = stack.tensor(stack.last_h(arrays))
    y = head_and_loss.y(h)
    recorded, of = stack.trace.header, "y" if head_and_loss.head else "h"
    if y is not None and "y" in stack.trace.arrays:
        arrays["y"] = stack.trace.arrays["y"] if is_same else numpy_of(y)
    loss = head_and_loss.loss(h, y)
    why = head_and_loss.absent
    if y is None and not why:
        why = "y was made by code of the model's own, which the trace does not hold"
    return replace(
        recorded,
        loss=float("nan") if loss is None else float(loss),
        loss_text=recorded.loss_text if loss_at is None else loss_at.words(of),
        loss_kind=recorded.loss_kind if loss_at is None else "custom",
        loss_at=loss_at,
        parity=None if edits else recorded.parity,
        what_ifs=tuple(str(edit) for edit in edits),
        edits=() if is_same else tuple(edits),
        look_ahead=recorded.look_ahead if loss_at is None else None,
        absent=why,
    )

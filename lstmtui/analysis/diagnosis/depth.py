"""Verdicts on stacks: whether signal and gradient come through from layer to layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from lstmtui.analysis.diagnosis.selecting import selecting, then
from lstmtui.analysis.diagnosis.verdict import BAD, FINE, LOOK, Verdict, not_measured
from lstmtui.analysis.layer_names import module_path
from lstmtui.analysis.stacks import outputs, stacks
from lstmtui.arrays import Array, norm
from lstmtui.cells.notation import UNICODE, plain
from lstmtui.trace import Trace
from lstmtui.trace.lengths import lengths_of

DEPTH_LOOK, DEPTH_BAD = 1e-3, 1e-4
"""What is left, over the whole stack, of ‖∂L/∂h‖ on its way down or of what tells the sequences of a batch
apart on its way up. A trained stack keeps tenths of both."""

_MOST_TIMES = 1 << 12
"""Of longer runs so many timesteps are looked at, at equal distances."""


def depth_verdicts(trace: Trace) -> Iterator[Verdict]:
    """The verdict `depth` of each stack of layers, at its lowest layer."""
    for stack in stacks(trace):
        yield _depth(trace, stack)


def _depth(trace: Trace, stack: Sequence[int]) -> Verdict:
    bottom, top = stack[0], stack[-1]
    gradients = [_gradient(trace, layer) for layer in (bottom, top)]
    signals = [_signal(trace, layer) for layer in (bottom, top)]
    with np.errstate(all="ignore"):
        gradient, signal = (float(np.divide(*pair)) for pair in (gradients, reversed(signals)))
    measured = [ratio for ratio in (gradient, signal) if np.isfinite(ratio)]
    above = f"layer {top}{f' ({name})' if (name := module_path(trace, top)) else ''}"
    if not measured:
        why = (
            "there is no gradient, and no second sequence that differs"
            if not trace.absent(bottom)
            else (f"no second sequence differs, and there is no gradient: {trace.absent(bottom)}")
        )
        return not_measured("depth", bottom, "forward", why, "h")
    left = min(measured)
    how = BAD if left <= DEPTH_BAD else LOOK if left <= DEPTH_LOOK else FINE
    parts = []
    if np.isfinite(gradient):
        parts.append(f"‖∂L/∂h‖ is {UNICODE.number(gradient)} of that in {above}")
    if np.isfinite(signal):
        parts.append(
            f"h differs between the sequences by {plain(signals[0], 2)} of its size, and by "
            f"{plain(signals[1], 2)} in {above}"
        )
    quantity = "dh" if left == gradient else "h"
    next_ = "" if how == FINE else then(selecting(trace, bottom, "forward"), f"watch norm({quantity})")
    return Verdict("depth", how, bottom, "forward", quantity, left, DEPTH_LOOK, "; ".join(parts), next=next_)


def _gradient(trace: Trace, layer: int) -> float:
    """‖∂L/∂h‖ over all directions, timesteps and sequences; NaN where there is none."""
    if "dh" not in trace.quantities(layer):
        return np.nan
    return float(
        norm(np.concatenate([trace.norms("dh", layer, d).ravel() for d in trace.layers[layer].directions]))
    )


def _signal(trace: Trace, layer: int) -> float:
    """How far h differs between the sequences of the batch, as a part of its size; NaN of fewer than two.

    Both are root mean squares over the timesteps that all sequences have.
    """
    steps = int(lengths_of(trace, layer).min())
    if trace.batch < 2 or not steps:
        return np.nan
    times = np.unique(np.linspace(0, steps - 1, min(steps, _MOST_TIMES)).astype(int))
    h = outputs(trace, layer, times).astype(np.float64)
    apart, size = _size(h - h.mean(axis=1, keepdims=True)), _size(h)
    return apart / size if size else np.nan


def _size(values: Array) -> float:
    return float(norm(values.ravel()))

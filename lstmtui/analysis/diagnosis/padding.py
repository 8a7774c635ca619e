"""A verdict on batches that were padded by hand: did the backward direction read the padding?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lstmtui.analysis.diagnosis.verdict import FEWEST_STEPS, FINE, LOOK, Verdict, severity
from lstmtui.arrays import Array, norm
from lstmtui.cells.notation import plain
from lstmtui.trace import Trace

PADDING_LOOK, PADDING_BAD = 0.01, 0.1
"""How far h is from its initial value when the backward direction comes to the last timestep that is not
padding, against the root mean square of ‖h‖: it should not have moved."""

_BLOCK = 1 << 12


def padding_verdicts(trace: Trace, layer: int, direction: str) -> Iterator[Verdict]:
    """padding, for the backward direction.

    Without lengths padding is guessed: sequences of a batch that end in the same value held for different
    times, or a single sequence that ends in zeros for a tenth of its length; the latter may be meant, and
    is never more than worth a look.
    """
    if direction != "backward" or trace.steps < FEWEST_STEPS:
        return
    if "lengths" in trace.arrays:
        text = "the lengths of the sequences were given, so that no padding is read"
        yield Verdict("padding", FINE, layer, direction, "h", 0.0, PADDING_LOOK, text)
        return
    source = max(at for at in range(layer + 1) if trace.layers[at].index == 0 or at == 0)
    padded, is_sure = _padded(trace.values("x", source, direction))
    if not padded.any():
        yield Verdict(
            "padding", FINE, layer, direction, "h", 0.0, PADDING_LOOK, "the input ends without padding"
        )
        return
    yield _leak(trace, layer, direction, padded, is_sure)


def _leak(trace: Trace, layer: int, direction: str, padded: Array, is_sure: bool) -> Verdict:
    h, initial = trace.values("h", layer, direction), trace.initial("h", layer, direction)
    norms = trace.norms("h", layer, direction)
    scale = float(norm(norms.ravel())) / norms.size**0.5 or 1.0
    leaks = np.zeros(trace.batch)
    for b in np.flatnonzero(padded):
        state = np.asarray(h[trace.steps - int(padded[b]), b], np.float64)
        leaks[b] = norm(state - initial[b]) / scale
    worst = int(leaks.argmax())
    how = severity(float(leaks[worst]), PADDING_LOOK, PADDING_BAD)
    last = trace.steps - int(padded[worst]) - 1
    how = how if is_sure or how == FINE else LOOK
    text = (
        f"the last {padded[worst]} timesteps of sequence {worst} look like padding, and h has moved by "
        f"{plain(leaks[worst], 2)} of its size when t={last} is read; give lengths, or pack the sequences"
    )
    if how == FINE:
        text = f"the last {padded[worst]} timesteps of sequence {worst} look like padding, and leave h alone"
    next_ = "" if how == FINE else f"goto {last}"
    return Verdict("padding", how, layer, direction, "h", float(leaks[worst]), PADDING_LOOK, text, next=next_)


def _padded(x: Array) -> tuple[Array, bool]:
    """How many timesteps at the end of each sequence look like padding, int (B,); whether that is sure."""
    steps, batch = x.shape[:2]
    held = _held(x)
    held[held < 2] = 0
    if (held == steps).any():
        return np.zeros_like(held), False
    ends = np.asarray(x[steps - 1])
    same = batch > 1 and len(np.unique(ends[held > 0], axis=0)) == 1
    if same and len(np.unique(held)) > 1:
        return held, True
    zeros = ~ends.any(axis=1) & (held >= max(3, steps // 10))
    return np.where(zeros, held, 0), False


def _held(x: Array) -> Array:
    """For how many timesteps each sequence holds the value it ends with, int (B,); at least 1."""
    steps = len(x)
    end = np.asarray(x[steps - 1])
    held = np.full(x.shape[1], steps)
    going = np.ones(x.shape[1], np.bool_)
    for stop in range(steps, 0, -_BLOCK):
        start = max(0, stop - _BLOCK)
        differs = (np.asarray(x[start:stop]) != end).any(axis=2)
        last = np.where(differs.any(axis=0), stop - start - 1 - differs[::-1].argmax(axis=0), -1)
        ended = going & (last >= 0)
        held[ended] = steps - 1 - (start + last[ended])
        going &= ~ended
        if not going.any():
            break
    return held

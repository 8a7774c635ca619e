"""A verdict on batches that were padded by hand: did the backward direction read the padding?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lstmtui.analysis.diagnosis.selecting import selecting, then
from lstmtui.analysis.diagnosis.verdict import (
    FEWEST_STEPS,
    FINE,
    LOOK,
    Verdict,
    not_measured,
    severity,
    too_short,
)
from lstmtui.arrays import Array, norm
from lstmtui.cells.notation import plain
from lstmtui.trace import Trace

PADDING_LOOK, PADDING_BAD = 0.01, 0.1
"""How far h is from its initial value when the backward direction comes to the last timestep that is not
padding, against the root mean square of ‖h‖: it should not have moved."""

_BLOCK = 1 << 12


def padding_verdicts(trace: Trace, layer: int, direction: str) -> Iterator[Verdict]:
    """padding, for the backward direction.

    Without lengths padding is guessed (`_padded`); what may be meant is never more than worth a look.
    """
    if direction != "backward":
        return
    place = (layer, direction)
    if trace.steps < FEWEST_STEPS:
        yield not_measured("padding", *place, too_short(trace.steps), "h")
        return
    if "lengths" in trace.arrays:
        text = "the lengths of the sequences were given, so that no padding is read"
        yield Verdict("padding", FINE, *place, "h", 0.0, PADDING_LOOK, text)
        return
    padded, is_sure = padded_ends(trace, layer)
    if not padded.any():
        yield Verdict("padding", FINE, *place, "h", 0.0, PADDING_LOOK, "the input ends without padding")
        return
    yield _leak(trace, layer, direction, padded, is_sure)


def padded_ends(trace: Trace, layer: int) -> tuple[Array, bool]:
    """How many timesteps at the end of each sequence look like padding, int (B,); whether that is sure.

    Judged by the input of the first layer of the layer's module.
    """
    source = max(at for at in range(layer + 1) if trace.layers[at].index == 0 or at == 0)
    return _padded(trace.values("x", source, trace.layers[source].directions[0]))


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
    next_ = "" if how == FINE else then(selecting(trace, layer, direction, batch=worst), f"goto {last}")
    return Verdict("padding", how, layer, direction, "h", float(leaks[worst]), PADDING_LOOK, text, next=next_)


def _padded(x: Array) -> tuple[Array, bool]:
    """How many timesteps at the end of each sequence look like padding, int (B,); whether that is sure.

    Padding is one value, the same in every sequence, held to the end for different times, and there nowhere
    but at the ends: a token that happens to stand twice at the end of a sequence stands elsewhere too. It is
    sure where two sequences end in it, or where it is 0 in one of several. A value that is 0 elsewhere too,
    and one that a single sequence ends in, may be meant: those count only where held for a tenth of the run.
    """
    steps, batch = x.shape[:2]
    held = _held(x)
    ends = np.asarray(x[steps - 1])
    values, which = np.unique(ends, axis=0, return_inverse=True)
    which = which.reshape(batch)
    longest = max(3, steps // 10)
    guessed = np.zeros_like(held)
    for at, value in enumerate(values):
        own = np.where(which == at, held, 0)
        is_zero = not value.any()
        if own.max() < 2 or own.max() == steps or (batch > 1 and len(np.unique(own)) == 1):
            continue
        if own.max() < longest and not (is_zero or (own > 0).sum() > 1):
            continue
        inner = _longest_inside(x, value, own)
        if not inner and batch > 1 and (is_zero or (own > 1).sum() > 1):
            return own, True
        if own.max() >= longest and ((is_zero and own.max() > 2 * inner) or not inner):
            guessed = np.where(own >= longest, own, guessed)
    return guessed, False


def _longest_inside(x: Array, value: Array, ends: Array) -> int:
    """The most timesteps for which a sequence holds a value before the end that it holds it to."""
    run, longest = np.zeros(x.shape[1], int), 0
    last = len(x) - ends
    for start in range(0, len(x), _BLOCK):
        block = np.asarray(x[start : start + _BLOCK])
        is_same = (block == value).all(axis=2)
        is_same &= np.arange(start, start + len(block))[:, None] < last
        if not is_same.any():
            run[:] = 0
            continue
        for row in is_same:
            run = np.where(row, run + 1, 0)
            longest = max(longest, int(run.max()))
    return longest


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

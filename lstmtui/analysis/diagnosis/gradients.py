"""Verdicts on the gradient's way back through time: vanishing and exploding."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from lstmtui.analysis.diagnosis.verdict import BAD, FEWEST_STEPS, FINE, LOOK, Verdict, severity
from lstmtui.analysis.reach import Reach, gradient_reach
from lstmtui.arrays import Array
from lstmtui.cells.notation import UNICODE
from lstmtui.trace import Trace
from lstmtui.trace.lengths import lengths_of
from lstmtui.view.view import View

VANISHING_LOOK, VANISHING_BAD = 1e-3, 1e-7
"""‖∂L/∂c‖ over the far tenth of the way against the largest on the way. A parameter's gradient is a sum over
timesteps; what is below 1e-7 of the largest addend is lost in the rounding of float32. Whether a network has
to look back so far only its task can say (Pascanu, Mikolov & Bengio 2013; Hochreiter 1991)."""

EXPLODING_LOOK, EXPLODING_BAD = 1e2, 1e4
"""The largest norm on the way against the largest of its first tenth. A loss at every timestep adds up to
ten times by itself, where nothing is forgotten; more than that the recurrence has multiplied."""


class _Way(NamedTuple):
    """The gradient's way back through one sequence."""

    batch: int
    grown: float
    """The largest norm over the largest of the first tenth."""
    left: float
    """The largest norm of the last tenth over the largest of all; NaN where the way ends in inf or NaN."""


def gradient_verdicts(trace: Trace, layer: int, direction: str) -> Iterator[Verdict]:
    """vanishing, for the sequence in the middle, and exploding, for the worst."""
    state = trace.cell(layer).memory
    if "d" + state not in trace.quantities(layer):
        if why := trace.layers[layer].absent:
            text = f"∂L/∂{state} is not there to be judged: {why}"
            yield Verdict("vanishing", LOOK, layer, direction, "d" + state, np.nan, VANISHING_LOOK, text)
        return
    norms, lengths = trace.norms("d" + state, layer, direction), lengths_of(trace, layer)
    if int(lengths.max()) >= FEWEST_STEPS and not norms.any():
        text = f"∂L/∂{state} is 0 throughout: the loss does not depend on it, or what reads it is saturated"
        next_ = "watch norm(dh)"
        yield Verdict("vanishing", BAD, layer, direction, "d" + state, 0.0, VANISHING_LOOK, text, next=next_)
        return
    ways = [
        way for way in (_way(norms[: int(lengths[b]), b], direction, b) for b in range(trace.batch)) if way
    ]
    if not ways:
        return
    whole = sorted((way for way in ways if np.isfinite(way.left)), key=lambda way: way.left)
    if whole:
        yield _vanishing(trace, layer, direction, state, whole[len(whole) // 2])
    yield _exploding(norms, layer, direction, state, max(ways, key=lambda way: way.grown))


def _way(own: Array, direction: str, batch: int) -> _Way | None:
    """From the first timestep that has a gradient to the other end, or to the NaN that it grew into.

    None for a way too short, or with NaN that did not come of growing.
    """
    back = own if direction == "backward" else own[::-1]
    begun = np.flatnonzero(back)
    back = back[begun[0] :] if len(begun) else back[:0]
    spoilt = np.flatnonzero(np.isnan(back))
    if len(spoilt):
        back = back[: spoilt[0]]
    if len(back) < FEWEST_STEPS:
        return None
    tenth = len(back) // 10
    first, most, last = (float(part.max()) for part in (back[:tenth], back, back[-tenth:]))
    with np.errstate(all="ignore"):
        grown = float(np.divide(most, first)) if np.isfinite(most) else np.inf
        if len(spoilt):
            return _Way(batch, grown, np.nan) if grown >= EXPLODING_BAD else None
        return _Way(batch, grown, float(np.divide(last, most)))


def _vanishing(trace: Trace, layer: int, direction: str, state: str, way: _Way) -> Verdict:
    how = BAD if way.left <= VANISHING_BAD else LOOK if way.left <= VANISHING_LOOK else FINE
    name = f"‖∂L/∂{state}‖"
    text = f"{UNICODE.number(way.left)} of {name} is left at the far end"
    reach = _reach(trace, layer, direction, way.batch)
    if np.isfinite(reach.steps):
        text += f"; from t={reach.start} it falls to 1/e within {reach.steps:.0f} timesteps"
    elif not np.isnan(reach.steps):
        text += f"; from t={reach.start} it never falls to 1/e"
    text += f" (sequence {way.batch})" if trace.batch > 1 else ""
    top = trace.norms("d" + state, layer, direction)[reach.start, way.batch]
    next_ = "" if how == FINE else f"break when norm(d{state}) < {float(top) * VANISHING_LOOK:.2g}"
    return Verdict(
        "vanishing", how, layer, direction, "d" + state, way.left, VANISHING_LOOK, text, next=next_
    )


def _reach(trace: Trace, layer: int, direction: str, batch: int) -> Reach:
    return gradient_reach(View.of(trace, layer, direction, batch))


def _exploding(norms: Array, layer: int, direction: str, state: str, way: _Way) -> Verdict:
    how = severity(way.grown, EXPLODING_LOOK, EXPLODING_BAD)
    text = f"‖∂L/∂{state}‖ grows {UNICODE.number(way.grown)}-fold on its way back"
    if norms.shape[1] > 1:
        text += f" (sequence {way.batch})"
    most = float(np.max(norms[:, way.batch], where=np.isfinite(norms[:, way.batch]), initial=0.0))
    limit = most / way.grown * EXPLODING_LOOK if np.isfinite(way.grown) else 1e30
    next_ = "" if how == FINE else f"break when norm(d{state}) > {limit:.2g}"
    return Verdict(
        "exploding", how, layer, direction, "d" + state, way.grown, EXPLODING_LOOK, text, next=next_
    )

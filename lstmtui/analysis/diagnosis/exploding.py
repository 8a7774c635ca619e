"""Verdicts on gradients that the recurrence itself makes grow on their way back through time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from lstmtui.analysis.diagnosis.selecting import selecting, then
from lstmtui.analysis.diagnosis.verdict import (
    FEWEST_STEPS,
    FINE,
    Verdict,
    not_measured,
    severity,
    too_short,
)
from lstmtui.analysis.diagnosis.way_back import WayBack, ways_back
from lstmtui.cells.notation import UNICODE
from lstmtui.errors import UserError
from lstmtui.trace import Trace
from lstmtui.trace.lengths import lengths_of

EXPLODING_LOOK, EXPLODING_BAD = 1e2, 1e4
"""The norm of a state's derivative over the sum of the norms of all that was fed from above until then: a
recurrence that multiplies nothing never gives back more than it was fed, however many timesteps are read."""


class _Growth(NamedTuple):
    """How much the gradient outgrew the gradients that it was made of."""

    ratio: float
    """inf where it grew until it was no number."""
    state: str
    batch: int
    t: int
    """Where the ratio is largest."""
    limit: float
    """A norm beyond which it has grown `EXPLODING_LOOK`-fold."""


def exploding_verdicts(trace: Trace, layer: int, direction: str) -> Iterator[Verdict]:
    """The verdict `exploding`, of the sequence in which the gradient grows most."""
    place, state = (layer, direction), trace.cell(layer).memory
    steps = int(lengths_of(trace, layer).max())
    absent = trace.absent(layer)
    why = "" if not absent else f"∂L/∂{state} is not there: {absent}"
    if steps < FEWEST_STEPS:
        why = too_short(steps)
    if not why:
        try:
            growths = [growth for way in ways_back(trace, *place) if (growth := _growth(way, direction))]
        except UserError as error:
            why = str(error)
        else:
            why = "" if growths else "no gradient goes back through time"
    if why:
        yield not_measured("exploding", *place, why, "d" + state)
        return
    yield _verdict(trace, layer, direction, max(growths, key=lambda growth: growth.ratio))


def _growth(way: WayBack, direction: str) -> _Growth | None:
    """The largest ratio of a way; None where nothing is fed, or the first that is fed is no number."""
    finite = np.isfinite(way.fed) & np.logical_and.reduce([np.isfinite(n) for n in way.norms.values()])
    stop = len(finite) if finite.all() else int(finite.argmin())
    fed = np.cumsum(way.fed[:stop])
    if not stop or fed[-1] == 0:
        return None
    best = _Growth(0.0, "", way.batch, 0, 0.0)
    for state, norms in way.norms.items():
        with np.errstate(all="ignore"):
            ratios = np.where(fed > 0, norms[:stop] / fed, 0.0)
        at = int(ratios.argmax())
        if ratios[at] > best.ratio or not best.state:
            limit = float(fed[at]) * EXPLODING_LOOK
            best = _Growth(float(ratios[at]), state, way.batch, way.time(at, direction), limit)
    if stop < len(finite) and best.ratio >= EXPLODING_BAD:
        return best._replace(ratio=np.inf)
    return best


def _verdict(trace: Trace, layer: int, direction: str, growth: _Growth) -> Verdict:
    how = severity(growth.ratio, EXPLODING_LOOK, EXPLODING_BAD)
    name = f"‖∂L/∂{growth.state}‖"
    of = f" of sequence {growth.batch}" if trace.batch > 1 else ""
    text = f"{name}{of} is at most {UNICODE.number(growth.ratio)} times all that it is fed from above"
    next_ = ""
    if how != FINE:
        text = (
            f"the recurrence makes {name}{of} grow {UNICODE.number(growth.ratio)}-fold over all that it is "
            f"fed from above, until t={growth.t}"
        )
        goes = selecting(trace, layer, direction, batch=growth.batch)
        next_ = then(goes, f"break when norm(d{growth.state}) > {growth.limit:.2g}")
    quantity = "d" + growth.state
    return Verdict(
        "exploding", how, layer, direction, quantity, growth.ratio, EXPLODING_LOOK, text, next=next_
    )

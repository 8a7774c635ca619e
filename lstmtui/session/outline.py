"""The norms of a run's gradients, reduced to what a plot of them shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lstmtui.errors import UserError
from lstmtui.session.envelope import Envelope, classify, envelope, mark_cells
from lstmtui.session.readings import reading
from lstmtui.session.session import Session
from lstmtui.session.windows import gradient_norms
from lstmtui.trace import Trace


@dataclass(frozen=True, eq=False)
class Outline:
    """A series over all timesteps, as so many columns of a plot show it."""

    envelope: Envelope
    marks: NDArray[np.uint8]
    """For each character what has no place on the axis, see `envelope.mark_cells`."""


def fitted(outline: Outline, pixels: int, cells: int) -> Outline:
    """An outline with exactly so many columns: the first ones, or all and nothing beyond them."""
    shape, marks = outline.envelope, outline.marks
    if (len(shape.low), len(marks)) == (pixels, cells):
        return outline
    gap = max(0, pixels - len(shape.low))
    low, high = (np.pad(end[:pixels], (0, gap), constant_values=np.nan) for end in (shape.low, shape.high))
    given, joined = (np.pad(truth[:pixels], (0, gap)) for truth in (shape.given, shape.joined))
    beyond = max(0, cells - len(marks))
    return Outline(Envelope(low, high, given, joined), np.pad(marks[:cells], (0, beyond)))


@reading()
def gradient_outline(
    session: Session, quantity: str, trace: Trace, timesteps: int, pixels: int, cells: int
) -> Outline | None:
    """‖∂L/∂quantity_t‖ of any of the traces on a log axis; None where its loss cannot be differentiated.

    Args:
        session: whose cursor says which layer, direction and sequence is meant.
        quantity: h or c.
        trace: the run.
        timesteps: how many the plot has; the run may have more or fewer.
        pixels: columns of dots.
        cells: columns of characters, which marks stand in.
    """
    try:
        norms = gradient_norms(session, quantity, trace)
    except UserError:
        return None
    values, kinds = classify(norms[:timesteps], log=True)
    return Outline(envelope(values, timesteps, pixels, log=True), mark_cells(kinds, timesteps, cells))

"""The norms of a run's gradients, reduced to what a plot of them shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lstmtui.analysis.decimation import Envelope, classify, envelope, mark_cells
from lstmtui.analysis.windows import gradient_norms
from lstmtui.errors import UserError
from lstmtui.view.query import query
from lstmtui.view.view import View


@dataclass(frozen=True, eq=False)
class NormPlot:
    """A series over timesteps, as so many columns of a plot show it."""

    envelope: Envelope
    marks: NDArray[np.uint8]
    """For each character what has no place on the axis, see `envelope.mark_cells`."""


def norm_plot_of(
    values: NDArray[np.floating],
    absent: NDArray[np.bool_] | None,
    timesteps: int,
    pixels: int,
    cells: int,
    *,
    log: bool = False,
) -> NormPlot:
    """What values look like, one for each timestep; true in `absent` is drawn as nothing."""
    plotted, kinds = classify(values, log)
    if absent is not None:
        absent = np.asarray(absent, bool)
        plotted, kinds = np.where(absent, np.nan, plotted), np.where(absent, 0, kinds).astype(np.uint8)
    shape = envelope(plotted, timesteps, pixels, log=log)
    return NormPlot(shape, mark_cells(kinds, timesteps, cells))


def fitted(plot: NormPlot, pixels: int, cells: int) -> NormPlot:
    """A plot with exactly so many columns: the first ones, or all and nothing beyond them."""
    shape, marks = plot.envelope, plot.marks
    if (len(shape.low), len(marks)) == (pixels, cells):
        return plot
    gap = max(0, pixels - len(shape.low))
    low, high = (np.pad(end[:pixels], (0, gap), constant_values=np.nan) for end in (shape.low, shape.high))
    has_value, joined = (np.pad(truth[:pixels], (0, gap)) for truth in (shape.has_value, shape.joined))
    beyond = max(0, cells - len(marks))
    return NormPlot(Envelope(low, high, has_value, joined), np.pad(marks[:cells], (0, beyond)))


@query()
def gradient_norm_plot(
    view: View, quantity: str, start: int, stop: int, timesteps: int, pixels: int, cells: int
) -> NormPlot | None:
    """‖∂L/∂quantity_t‖ on a log axis; None where the run's loss cannot be differentiated.

    Args:
        view: whose cursor says which layer, direction and sequence is meant.
        quantity: h or c.
        start: the first timestep.
        stop: the timestep after the last; the run may end earlier.
        timesteps: how many the plot has room for.
        pixels: columns of dots.
        cells: columns of characters, which marks stand in.
    """
    try:
        norms = gradient_norms(view, quantity)
    except UserError:
        return None
    return norm_plot_of(norms[start:stop], None, timesteps, pixels, cells, log=True)

"""Lines over time, in braille dots: several series on one linear or logarithmic axis."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from textual.message import Message

from lstmtui.analysis.decimation import Envelope
from lstmtui.analysis.norm_plot import NormPlot, fitted, norm_plot_of
from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.axis import fit_axis
from lstmtui.tui.widgets.columns import ColumnMap
from lstmtui.tui.widgets.line_widget import ColumnClicked, LineWidget
from lstmtui.tui.widgets.plot_rows import Drawn, crossed, plot_rows
from lstmtui.tui.widgets.series import DASHES, Series, legend_lines
from lstmtui.tui.widgets.spans import Spans

_LOWEST_WITH_LEGEND = 3
"""Lines of a plot that has none."""


class LinePlot(LineWidget):
    """Series over the timesteps of a page, each with colour, dashes and a letter at its right end.

    A value that has no place on the axis breaks its line and is marked below the plot, at its column: N for
    NaN, ^ and v for the infinities, and on a log axis 0 for zero and - for a negative value.
    """

    DEFAULT_CSS = "LinePlot { width: 1fr; height: 1fr; }"

    def __init__(self, look: Look | None = None) -> None:
        super().__init__(look)
        self._plot = Plot()
        self._rows: list[Spans] = []
        self._cursor: int | None = None

    def set_series(
        self,
        series: Sequence[Series],
        timesteps: int | None = None,
        columns: ColumnMap | None = None,
        *,
        gutter: int = 7,
        log: bool = False,
        legend: bool = True,
        shift: float = 0.0,
        scale: float = 1.0,
    ) -> None:
        """Show series over a page of `timesteps` (left out: the longest series).

        `columns` places the timesteps right of `gutter` characters of axis labels; left out, they fill
        the width but for the letters. The axis of a value says
        value · scale + shift. The legend is left out where it would take half of the height.
        """
        self._plot = Plot(tuple(series), timesteps, columns, gutter, log, legend, shift, scale)
        self._rows = []
        self.update()

    def set_cursor(self, column: int | None) -> None:
        """Draw the cursor as a line through empty cells, `column` characters from the left; None: no line."""
        if column != self._cursor:
            self._cursor = column
            self.update()

    def lay_out(self, width: int, height: int) -> None:
        if (width, height) != self._extent:
            self._rows = []
        super().lay_out(width, height)

    def line_keys(self, width: int, height: int) -> Sequence[Hashable]:
        self._rows = self._rows or plot_lines(self._plot, width, height, self.look)
        if self._cursor is None:
            return self._rows
        legend = len(_legend(self._plot, width, height, self.look))
        return self._rows[:legend] + [crossed(row, self._cursor, self.look) for row in self._rows[legend:]]

    def clicked(self, x: int, y: int) -> Message | None:
        column = self._plot.map(self._extent.width).column_at(x - self._plot.gutter)
        return None if column is None else ColumnClicked(column)


@dataclass(frozen=True, eq=False)
class Plot:
    """What a plot shows, see :meth:`LinePlot.set_series`."""

    series: tuple[Series, ...] = ()
    timesteps: int | None = None
    columns: ColumnMap | None = None
    gutter: int = 7
    log: bool = False
    legend: bool = True
    shift: float = 0.0
    scale: float = 1.0

    @property
    def length(self) -> int:
        """Timesteps on the page."""
        if self.timesteps is not None:
            return self.timesteps
        return max((len(s.values) for s in self.series if isinstance(s.values, np.ndarray)), default=0)

    def map(self, width: int) -> ColumnMap:
        """Where the timesteps are, right of the gutter."""
        room = max(0, width - self.gutter - 2)
        return self.columns or ColumnMap(min(self.length, room), room)


def most_legend_lines(height: int) -> int:
    """The lines that a legend may take of a plot so high."""
    return (height - 1) // 2 if height > _LOWEST_WITH_LEGEND else 0


def plot_lines(plot: Plot, width: int, height: int, look: Look) -> list[Spans]:
    """Every line of the plot: legend, the plot itself, and below it the marks."""
    cells = max(0, min(plot.map(width).used, width - plot.gutter))
    if not plot.series or not cells or not plot.length:
        return []
    pixels = cells if look.ascii else 2 * cells
    shapes = [_norm_plot(s, plot, pixels, cells) for s in plot.series]
    drawn = [_drawn(s, line.envelope, line.marks) for s, line in zip(plot.series, shapes, strict=True)]
    ends = (end for line in shapes for end in (line.envelope.low, line.envelope.high))
    axis = replace(fit_axis(ends, plot.log), shift=plot.shift, scale=plot.scale)
    legend = _legend(plot, width, height, look)
    return plot_rows(drawn, axis, cells, width, height, plot.gutter, legend, look)


def _legend(plot: Plot, width: int, height: int, look: Look) -> list[Spans]:
    """The lines of the legend, where the plot has one."""
    named = plot.legend and any(line.name for line in plot.series)
    return legend_lines(plot.series, width, most_legend_lines(height), look) if named else []


def _norm_plot(series: Series, plot: Plot, pixels: int, cells: int) -> NormPlot:
    """What a series looks like: of values, worked out; of a norm plot, as many columns as it has."""
    if isinstance(series.values, NormPlot):
        return fitted(series.values, pixels, cells)
    values, length = series.values[: plot.length], plot.length
    absent = None if series.absent is None else series.absent[:length]
    return norm_plot_of(values, absent, length, pixels, cells, log=plot.log)


def _drawn(series: Series, shape: Envelope, marks: NDArray[np.uint8]) -> Drawn:
    """A series reduced to pixel columns and marks, with the gaps of its dashes."""
    period, kept = DASHES[series.style % len(DASHES)]
    visible = shape.has_value | (np.arange(len(shape.has_value)) % period < kept)
    return Drawn(
        tag=series.letter,
        role=series.role,
        style=series.style,
        low=np.where(visible, shape.low, np.nan),
        high=np.where(visible, shape.high, np.nan),
        joined=shape.joined,
        marks=marks,
    )

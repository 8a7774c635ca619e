"""Time by time on screen: how much h of each timestep depends on a state or x of each other one."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from lstmtui.arrays import Array, as_drawn
from lstmtui.cells.notation import UNICODE
from lstmtui.session.requests import ShowJacobian
from lstmtui.tui.screens.dialog import Dialog, write_border
from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.heatmap import Heatmap, row_capacity
from lstmtui.tui.widgets.text_lines import TextLines

_DECADES = 6
"""So many powers of ten below the largest have colours of their own."""


class JacobianScreen(Dialog[tuple[str, ...]]):
    """A map with s along the columns and t down the lines, its colours on a logarithmic scale.

    It is left with the command that shows the map by another name, or none.

    Args:
        look: what the terminal can show.
        request: the map, the timestep that is marked, and what is said.
    """

    DEFAULT_CSS = """
    JacobianScreen { align: center middle; }
    JacobianScreen > Vertical { width: 96%; height: 94%; border: round $border; padding: 0 1; }
    JacobianScreen TextLines { height: 4; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab,space,right", "turn(1)", "by the next state, or by x"),
        Binding("shift+tab,left", "turn(-1)", "by the one before"),
    ]

    def __init__(self, look: Look, request: ShowJacobian) -> None:
        super().__init__()
        self.look, self.shown, self.t, self.said = look, request.map, request.t, request.text
        self.names = request.names
        self.text, self.map = TextLines(look, wraps=True), Heatmap(look)

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            title = f" How {self.names[0]} of t (down) depends on {self.shown.by} of s (across) "
            write_border(box, self.look, title, f" tab: by {', '.join(self._others())}  esc leaves ")
            yield self.text
            yield self.map

    def _others(self) -> tuple[str, ...]:
        at = self.names.index(self.shown.by)
        return (*self.names[at + 1 :], *self.names[:at])

    def action_turn(self, by: int) -> None:
        """Show the map by another name."""
        self.dismiss((f"jacobian map {self._others()[0 if by > 0 else -1]}",))

    def on_mount(self) -> None:
        """Draw once there is a place."""
        self.call_after_refresh(self._draw)

    def on_resize(self) -> None:
        """Draw again in the new size."""
        self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        size = self.map.size
        if not size.width or not size.height or not len(self.shown.values):
            return
        lines = row_capacity(size.height, self.look)
        values, per_row, per_column = binned(self.shown.values, lines, size.width)
        absent = np.isnan(values)
        largest = float(np.nanmax(values, initial=0.0)) or 1.0
        with np.errstate(all="ignore"):
            levels = 1 + np.log10(np.where(absent, 1.0, values) / largest) / _DECADES
        drawn = as_drawn(np.clip(np.nan_to_num(levels, neginf=0.0), 0.0, 1.0))
        self.map.set_data(drawn.T, 0.0, 1.0, "sequential", absent.T)
        number, start, count = UNICODE.number, self.shown.start, len(self.shown.values)
        scale = f"colours: {number(largest / 10**_DECADES)} to {number(largest)}, logarithmic"
        binning = f"; {per_row} t a line, {per_column} s a column, the largest of them"
        row = self.shown.values[self.t - start] if 0 <= self.t - start < count else np.zeros(0)
        finite = np.flatnonzero(np.isfinite(row))
        nearest = finite[np.argsort(np.abs(finite + start - self.t), kind="stable")][:3]
        ends = [(f"s={start + at}", number(float(row[at]))) for at in nearest.tolist()]
        near = ", ".join(f"{value} by {name}" for name, value in ends)
        self.text.set_lines(
            [
                ((self.said, "text"),),
                ((scale + (binning if per_row > 1 or per_column > 1 else ""), "muted"),),
                ((f"t={self.t}: {near}" if near else "", "muted"),),
            ]
        )


def binned(values: Array, rows: int, columns: int) -> tuple[Array, int, int]:
    """The largest of each block, so that all have room; and how many timesteps a row and a column are."""
    count = len(values)
    down, across = -(-count // max(1, rows)), -(-count // max(1, columns))
    padded = np.full((-(-count // down) * down, -(-count // across) * across), -np.inf)
    padded[:count, :count] = np.where(np.isnan(values), -np.inf, values)
    blocks = padded.reshape(len(padded) // down, down, padded.shape[1] // across, across).max(axis=(1, 3))
    return np.where(np.isneginf(blocks), np.nan, blocks), down, across

"""A row below the maps of a state: how much of the number that is asked about comes from each timestep."""

from __future__ import annotations

import numpy as np
from textual.app import ComposeResult
from textual.containers import Horizontal

from lstmtui.analysis.why.remains import asked_lane
from lstmtui.analysis.windows import shared
from lstmtui.arrays import Array, as_drawn
from lstmtui.errors import UserError
from lstmtui.session import Session
from lstmtui.session.asked import Asked
from lstmtui.tui.panels.time_axis import TimeAxis
from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.heatmap import Heatmap
from lstmtui.tui.widgets.spans import crop
from lstmtui.tui.widgets.text_lines import TextLines


class AskedRow(Horizontal):
    """One line: its name, and a colour for each timestep, in the columns that all lanes share."""

    DEFAULT_CSS = "AskedRow { height: 1; }"

    def __init__(self, look: Look) -> None:
        super().__init__()
        self.look = look
        self.label, self.map = TextLines(look), Heatmap(look)
        self.display = False

    def compose(self) -> ComposeResult:
        yield self.label
        yield self.map

    def take_place(self, axis: TimeAxis, *, is_shown: bool) -> None:
        """Take the columns that all lanes share, or none."""
        self.display = is_shown
        self.label.styles.width, self.map.styles.width = axis.gutter, axis.plot

    def values(self, session: Session, asked: Asked) -> Array | None:
        """What each timestep has in it, (T,); None where that cannot be told.

        Raises:
            NotReady: it is not here yet.
        """
        try:
            return asked_lane(session.view, asked.direction, asked.quantity, asked.t, asked.unit).values
        except UserError:
            return None

    def draw(self, values: Array | None, asked: Asked, axis: TimeAxis) -> None:
        """Show the timesteps of the page."""
        page = axis.page
        shown = np.zeros(0) if values is None else values[page.start : page.stop]
        columns, is_there = shared(shown[:, None], ~np.isnan(shown), page.per_column, "extreme")
        finite = np.abs(columns[np.isfinite(columns)])
        limit = float(finite.max(initial=0.0)) or 1.0
        drawn, absent = as_drawn(columns), ~is_there[:, None]
        self.map.set_data(drawn, -limit, limit, "diverging", absent, axis.columns)
        sign = ">" if self.look.ascii else "→"
        name = f"{asked.name}{sign}" if asked.direction == "remains" else f"{sign}{asked.name}"
        if asked.direction == "dependence":
            name = f"d{asked.quantity}/ds" if self.look.ascii else f"∂{asked.quantity}/∂s"
        width = max(0, self.label.size.width - 1)
        self.label.set_lines([crop(((name, asked.state),), width, self.look)])

"""One quantity over time: its name, a heat map of units × timesteps, and bars of this timestep."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal

from lstmtui.session import Page, Session, color_limit, vector, window
from lstmtui.session.windows import Binning
from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.bars import Bars
from lstmtui.tui.widgets.columns import ColumnMap
from lstmtui.tui.widgets.heatmap import Heatmap
from lstmtui.tui.widgets.text_lines import TextLines

LABEL_WIDTH = 3
IN_UNIT_INTERVAL = ("f", "i", "o", "r", "z")
"""The gates a logistic function makes; their maps run from 0 to 1, all others round 0."""


class HeatRow(Horizontal):
    """A heat map with its label and, where asked for, bars."""

    DEFAULT_CSS = f"""
    HeatRow {{ height: 1fr; }}
    HeatRow > TextLines {{ width: {LABEL_WIDTH}; }}
    HeatRow > Bars {{ width: 20; margin-left: 1; }}
    """

    def __init__(self, look: Look, *, bars: bool) -> None:
        super().__init__()
        self.look = look
        self.label = TextLines(look)
        self.map = Heatmap(look)
        self.bars = Bars(look) if bars else None
        self.quantity = ""
        self.units_per_row = 1
        self.limit = 1.0
        """Where the colours end: the map runs from 0 or −limit to limit."""
        self._drawn: object = None

    def compose(self) -> ComposeResult:
        yield self.label
        yield self.map
        if self.bars is not None:
            yield self.bars

    @property
    def sequential(self) -> bool:
        """Whether the map runs from 0 to 1."""
        return self.quantity in IN_UNIT_INTERVAL

    @property
    def columns_wide(self) -> int:
        """How many timesteps fit."""
        return self.map.size.width

    def show(self, session: Session, quantity: str, page: Page) -> None:
        """Draw the map if the page or the selection changed, and the bars of this timestep."""
        cursor = session.cursor
        self.quantity = quantity
        size = self.map.size
        if not size.width or not size.height:
            return
        facts = (cursor.model, cursor.layer, cursor.direction, cursor.batch, quantity, page, size)
        kind = "sequential" if quantity in IN_UNIT_INTERVAL else "diverging"
        most = 1.0 if kind == "sequential" else color_limit(session, quantity)
        low = 0.0 if kind == "sequential" else -most
        self.limit = most
        if facts != self._drawn:
            self._drawn = facts
            binning: Binning = "mean" if kind == "sequential" else "extreme"
            shown = window(session, quantity, page.start, page.stop, self.map.capacity, binning)
            self.units_per_row = shown.units_per_row
            absent = (~shown.valid)[:, None].repeat(shown.values.shape[1], axis=1)
            columns = ColumnMap(page.stop - page.start, size.width)
            self.map.set_data(shown.values, low, most, kind, absent, columns)  # type: ignore[arg-type]
        units = session.layer.size(quantity)
        unit = min(cursor.unit, units - 1)
        self._show_label(quantity, self.map.line_of(unit // self.units_per_row), size.height)
        if self.bars is not None and self.bars.size.height:
            labels = [str(k) for k in range(units)]
            now = vector(session, quantity)
            self.bars.set_data(now, low, most, kind, labels, unit, (quantity,))  # type: ignore[arg-type]

    def forget(self) -> None:
        """Draw everything the next time."""
        self._drawn = None

    def _show_label(self, quantity: str, line: int, height: int) -> None:
        """The name on the first line, and a mark beside the selected unit."""
        name = quantity.removesuffix("_pre")
        lines = [
            [(f"{name:<2}" if at == 0 else "  ", quantity), ("▸" if at == line else " ", "cursor")]
            for at in range(height)
        ]
        self.label.set_lines(lines)

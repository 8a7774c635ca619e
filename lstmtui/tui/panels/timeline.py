"""Panels over time: heat maps that share a page and a ruler."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from textual import on
from textual.app import ComposeResult

from lstmtui.analysis.windows import Page
from lstmtui.cells.notation import UNICODE
from lstmtui.session import Session
from lstmtui.session.breakpoint_hits import marks
from lstmtui.tui.panels.heat_row import HeatRow
from lstmtui.tui.panels.panel import Panel
from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.bars import Bars
from lstmtui.tui.widgets.columns import ColumnMap
from lstmtui.tui.widgets.heatmap import Heatmap
from lstmtui.tui.widgets.ruler import Ruler
from lstmtui.view.query import together


class TimelinePanel(Panel):
    """One heat map for each of some quantities, over the page that holds the cursor."""

    DEFAULT_CSS = """
    TimelinePanel { layout: vertical; }
    TimelinePanel Ruler { padding: 0 0 0 3; }
    TimelinePanel.-bars Ruler { padding: 0 21 0 3; }
    """

    ROWS = 1
    BARS = False

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self.rows = [HeatRow(look, bars=self.BARS) for _ in range(self.ROWS)]
        self.ruler = Ruler(look)
        self.page = Page(0, 1, 1, 1)
        self.subtract = False
        """Whether the maps show the difference to what the run is held against."""
        self.set_class(self.BARS, "-bars")

    def compose(self) -> ComposeResult:
        yield from self.rows
        yield self.ruler

    def quantities(self, session: Session) -> Sequence[str]:
        """What to show of the selected cell, from top to bottom."""
        return ()

    def name_of(self, session: Session) -> str:
        """The title, without what is said about units and time."""
        return self.TITLE

    def show(self, session: Session) -> None:
        shown = self.quantities(session)
        for row, quantity in zip(self.rows, [*shown, *[""] * self.ROWS], strict=False):
            row.display = bool(quantity)
        width = self.rows[0].columns_wide
        if not shown or not width:
            return
        page = Page.around(session.cursor.t, width, session.trace.steps)
        *views, seen = together(
            *(
                partial(row.view, session, quantity, page, subtract=self.subtract)
                for row, quantity in zip(self.rows, shown, strict=False)
            ),
            lambda: marks(session, page.start, page.stop),
        )
        self.page = page
        for row, view in zip(self.rows, views, strict=False):
            row.draw(view)
        columns = ColumnMap(page.stop - page.start, width)
        self.ruler.set(page.start, page.stop, columns, session.cursor.t, seen.breakpoints, seen.hits)
        self._say(session, shown[0])

    def _say(self, session: Session, quantity: str) -> None:
        """The title: what is shown, on which scale, and how units share rows."""
        per_row = self.rows[0].units_per_row
        count = session.layer.size(quantity)
        units = f"{count} unit{'' if count == 1 else 's'}"
        how = "mean" if self.rows[0].sequential else "the most extreme"
        binned = f", {per_row} a row ({how})" if per_row > 1 else ""
        scale = "" if self.rows[0].sequential else f"  ±{UNICODE.number(self.rows[0].limit)}"
        name = self.name_of(session)
        if self.rows[0].difference and session.other is not None:
            against = "as recorded" if session.other is session.baseline else session.other.name
            name = f"{name} − {against}"
        fits = len(f"{self.NUMBER} {name}{scale}") <= self.size.width - 6
        self.set_title(name + scale if fits else name, f"{self.page.text}  {units}{binned}")

    def forget(self) -> None:
        super().forget()
        for row in self.rows:
            row.forget()

    @on(Heatmap.Clicked)
    def _pick_cell(self, event: Heatmap.Clicked) -> None:
        event.stop()
        row = next(r for r in self.rows if r.map is event.heatmap)
        self.post_message(self.Picked(t=self.page.start + event.column, unit=event.row * row.units_per_row))

    @on(Ruler.Clicked)
    def _pick_timestep(self, event: Ruler.Clicked) -> None:
        event.stop()
        self.post_message(self.Picked(t=self.page.start + event.column))

    @on(Bars.Clicked)
    def _pick_unit(self, event: Bars.Clicked) -> None:
        event.stop()
        self.post_message(self.Picked(unit=event.row))

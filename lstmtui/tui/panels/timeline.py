"""Panels over time: heat maps that share a page and a ruler."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

from rich.cells import cell_len
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from lstmtui.analysis.windows import Page
from lstmtui.cells.notation import UNICODE
from lstmtui.session import Session
from lstmtui.session.breakpoint_hits import marks
from lstmtui.tui.panels.heat_row import HeatRow
from lstmtui.tui.panels.panel import Panel
from lstmtui.tui.panels.row_label import LABEL_WIDTH, shape_of
from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.bars import Bars
from lstmtui.tui.widgets.columns import ColumnMap
from lstmtui.tui.widgets.heatmap import Heatmap
from lstmtui.tui.widgets.ruler import Ruler
from lstmtui.view.query import together

_LABELS = (6, 14)
"""The least and the most columns of labels where a name has more than two characters."""
_LINES_A_ROW = 2
"""That a map has at least, where a panel has more quantities than lines."""
_FEW_LINES = 8
"""A panel with no more lines gives each map one."""


class TimelinePanel(Panel):
    """One heat map for each of some quantities, over the page that holds the cursor.

    Where there are more quantities than maps have room, it shows those round the stage that the cursor is
    on; [ and ] show the others.
    """

    DEFAULT_CSS = """
    TimelinePanel { layout: vertical; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right_square_bracket", "turn(1)", "the next quantities", show=False),
        Binding("left_square_bracket", "turn(-1)", "the quantities before", show=False),
    ]

    ROWS = 1
    """How many maps are there from the start; a cell that has more gets them when it is shown."""
    BARS = False

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self.rows = [HeatRow(look, bars=self.BARS) for _ in range(self.ROWS)]
        self.ruler = Ruler(look)
        self.page = Page(0, 1, 1, 1)
        self.subtract = False
        """Whether the maps show the difference to what the run is held against."""
        self.shown_names = ""
        """Those of the quantities that have a map."""
        self._every: Sequence[str] = ()
        self._first = 0
        """Which of the quantities is shown on top."""
        self._stage: object = None
        """The cell and the stage that `_first` was last chosen for."""

    def compose(self) -> ComposeResult:
        yield from self.rows
        yield self.ruler

    def quantities(self, session: Session) -> Sequence[str]:
        """What to show of the selected cell, from top to bottom."""
        return ()

    def shows(self, session: Session, quantity: str) -> bool:
        return quantity.removesuffix("_pre") in self.quantities(session)

    def name_of(self, session: Session) -> str:
        """The title, without what is said about units and time."""
        return self.TITLE

    def fits(self, session: Session) -> bool:
        return bool(self.quantities(session))

    def show(self, session: Session) -> None:
        shown = self._chosen(session)
        self.shown_names = " ".join(shown)
        self._make_room(shown)
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
        self._say(session, shown)

    def _chosen(self, session: Session) -> Sequence[str]:
        """As many of the quantities as have room, among them that of the stage the cursor is on."""
        self._every = every = self.quantities(session)
        room = self._room
        if len(every) <= room:
            self._first = 0
            return every
        cursor = session.cursor
        stage = (cursor.model, cursor.layer, cursor.stage)
        if stage != self._stage:
            if self._stage is None or stage[:2] != self._stage[:2]:  # type: ignore[index]
                self._first = 0
            self._stage = stage
            name = "" if cursor.stage is None else session.cell.stages[cursor.stage]
            if name in every and not self._first <= every.index(name) < self._first + room:
                self._first = every.index(name)
        self._first = max(0, min(self._first, len(every) - room))
        return every[self._first : self._first + room]

    @property
    def _room(self) -> int:
        """How many maps have room."""
        lines = self.content_size.height - 1
        return max(1, lines if lines <= _FEW_LINES else lines // _LINES_A_ROW)

    def action_turn(self, by: int) -> None:
        """Show the next quantities, or those before."""
        first = max(0, min(self._first + by * self._room, len(self._every) - self._room))
        if first != self._first:
            self._first = first
            self.post_message(self.Appeared())

    def _make_room(self, shown: Sequence[str]) -> None:
        """A row for each quantity, and the width that their names need."""
        more = [HeatRow(self.look, bars=self.BARS, is_late=True) for _ in shown[len(self.rows) :]]
        if more:
            self.rows += more
            self.mount(*more, before=self.ruler)
        for row, quantity in zip(self.rows, [*shown, *[""] * len(self.rows)], strict=False):
            row.display = bool(quantity)
        widest = max(map(cell_len, self._every), default=0)
        label = LABEL_WIDTH if widest < LABEL_WIDTH else max(_LABELS[0], min(widest, _LABELS[1])) + 1
        changed = [row for row in self.rows if row.set_label_width(label)]
        if changed:
            self.call_after_refresh(self.post_message, self.Appeared())
        first = self.rows[0]
        left, right = label, max(0, self.content_size.width - label - first.columns_wide)
        self.ruler.styles.padding = (0, right if first.columns_wide else 0, 0, left)

    def _say(self, session: Session, shown: Sequence[str]) -> None:
        """The title: what is shown, on which scale, and how units share rows."""
        name = self.name_of(session)
        if self.rows[0].difference and session.other is not None:
            against = "as recorded" if session.other is session.baseline else session.other.name
            name = f"{name} − {against}"
        scale, units = self._scale_and_units(session, shown[0])
        if session.layer.source is not None and len(self._every) > 1:
            scale, units = "", ""
        if len(shown) < len(self._every):
            name += f": {len(shown)} of {len(self._every)} names, [ ] turn"
        fits = len(f"{self.NUMBER} {name}{scale}") <= self.size.width - 6
        self.set_title(name + scale if fits else name, f"{self.page.text}  {units}".rstrip())

    def _scale_and_units(self, session: Session, quantity: str) -> tuple[str, str]:
        row = self.rows[0]
        shape = shape_of(session, quantity)
        count = "×".join(map(str, shape)) or "1"
        units = f"{count} unit{'' if count == '1' else 's'}"
        how = "mean" if row.sequential else "the most extreme"
        binned = f", {row.units_per_row} a row ({how})" if row.units_per_row > 1 else ""
        return "" if row.sequential else f"  ±{UNICODE.number(row.limit)}", units + binned

    def forget(self) -> None:
        super().forget()
        for row in self.rows:
            row.forget()

    @on(Heatmap.Clicked)
    def _pick_cell(self, event: Heatmap.Clicked) -> None:
        event.stop()
        row = next(r for r in self.rows if r.map is event.heatmap)
        unit = None if row.is_one_number else event.row * row.units_per_row
        self.post_message(self.Picked(t=self.page.start + event.column, unit=unit))

    @on(Ruler.Clicked)
    def _pick_timestep(self, event: Ruler.Clicked) -> None:
        event.stop()
        self.post_message(self.Picked(t=self.page.start + event.column))

    @on(Bars.Clicked)
    def _pick_unit(self, event: Bars.Clicked) -> None:
        event.stop()
        row = next(r for r in self.rows if r.bars is event.bars)
        if not row.is_one_number:
            self.post_message(self.Picked(unit=event.row))

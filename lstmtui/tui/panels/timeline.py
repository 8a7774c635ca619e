"""Panels over time: heat maps of units × time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget

from lstmtui.analysis.windows import Page
from lstmtui.cells.notation import UNICODE
from lstmtui.session import Session
from lstmtui.tui.palette import Kind
from lstmtui.tui.panels.heat_row import HeatRow
from lstmtui.tui.panels.lane import Lane
from lstmtui.tui.panels.row_label import shape_of
from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.bars import Bars
from lstmtui.tui.widgets.heatmap import Heatmap
from lstmtui.tui.widgets.lane_head import Key, Swatches
from lstmtui.view.query import together

_LONGEST_NAME = 20
"""In the key of colours."""
_LINES_A_ROW = 2
"""That a map has at least, where a panel has more quantities than lines."""
_FEW_LINES = 8
"""A panel with no more lines gives each map one."""


class TimelinePanel(Lane):
    """One heat map for each of some quantities.

    Where there are more quantities than maps have room, it shows those round the stage that the cursor is
    on; [ and ] show the others.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right_square_bracket", "turn(1)", "the next quantities", show=False),
        Binding("left_square_bracket", "turn(-1)", "the quantities before", show=False),
    ]

    ROWS = 1
    """How many maps are there from the start; a cell that has more gets them when it is shown."""

    def __init__(self, look: Look) -> None:
        self.rows = [HeatRow(look) for _ in range(self.ROWS)]
        self.subtract = False
        """Whether the maps show the difference to what the run is held against."""
        self.shown_names = ""
        """Those of the quantities that have a map."""
        self._every: Sequence[str] = ()
        self._first = 0
        """Which of the quantities is shown on top."""
        self._stage: object = None
        """The cell and the stage that `_first` was last chosen for."""
        super().__init__(look)

    def contents(self) -> Sequence[Widget]:
        return self.rows

    def bands(self, session: Session) -> int:
        return len(self.quantities(session))

    @property
    def page(self) -> Page:
        """The timesteps that it shows."""
        return self.axis.page

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
        self._make_room(shown, session.layer.source is not None)
        if not shown or self.axis.plot <= 0:
            return
        views = together(
            *(
                partial(row.view, session, quantity, self.axis, subtract=self.subtract)
                for row, quantity in zip(self.rows, shown, strict=False)
            ),
        )
        for row, view in zip(self.rows, views, strict=False):
            row.draw(view, self.axis)
        self._say(session, shown)
        self.show_cursor(session)

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
        lines = self.content_size.height - self.head.display
        return max(1, lines if lines <= _FEW_LINES else lines // _LINES_A_ROW)

    def action_turn(self, by: int) -> None:
        """Show the next quantities, or those before."""
        first = max(0, min(self._first + by * self._room, len(self._every) - self._room))
        if first != self._first:
            self._first = first
            self.post_message(self.Appeared())

    def _make_room(self, shown: Sequence[str], is_source: bool) -> None:
        """A row for each quantity, all of the same height, in the columns that all lanes share."""
        more = [HeatRow(self.look, is_late=True) for _ in shown[len(self.rows) :]]
        if more:
            self.rows += more
            self.mount(*more)
        height = max(1, (self.content_size.height - self.head.display) // max(1, len(shown)))
        changed = False
        for row, quantity in zip(self.rows, [*shown, *[""] * len(self.rows)], strict=False):
            row.display = bool(quantity)
            row.prefix = "" if self.head.display else f"{self.NUMBER}{'▸' if self.is_marked else ' '}"
            row.says_scale = len(self._every) > 1 and is_source
            changed |= row.place(self.axis, height)
        if changed:
            self.call_after_refresh(self.post_message, self.Appeared())

    def _say(self, session: Session, shown: Sequence[str]) -> None:
        """The title: what is shown, which colour is which value, and how units share rows."""
        name = self.name_of(session)
        if self.rows[0].difference and session.other is not None:
            against = "as recorded" if session.other is session.baseline else session.other.name
            name = f"{name} − {against}"
        if len(shown) < len(self._every):
            name += f": {len(shown)} of {len(self._every)} names, [ ] turn"
        rows = [row for row in self.rows if row.display]
        is_source = session.layer.source is not None
        self.set_keys(() if is_source and len(self._every) > 1 else color_key(rows))
        self.set_title(name, "" if is_source and len(self._every) > 1 else self._units(session, shown[0]))

    def _units(self, session: Session, quantity: str) -> str:
        row = self.rows[0]
        count = "×".join(map(str, shape_of(session, quantity))) or "1"
        units = f"{count} unit{'' if count == '1' else 's'}"
        how = "mean" if row.sequential else "the most extreme"
        return units + (f", {row.units_per_row} a row ({how})" if row.units_per_row > 1 else "")

    def forget(self) -> None:
        super().forget()
        for row in self.rows:
            row.forget()

    @on(Heatmap.Clicked)
    def _pick_cell(self, event: Heatmap.Clicked) -> None:
        event.stop()
        row = next(r for r in self.rows if r.map is event.heatmap)
        unit = None if row.is_one_number else event.row * row.units_per_row
        self.post_message(self.Picked(t=self.axis.timestep_at(event.column), unit=unit))

    @on(Bars.Clicked)
    def _pick_unit(self, event: Bars.Clicked) -> None:
        event.stop()
        row = next(r for r in self.rows if r.bars is event.bars)
        unit = row.unit_at(event.row)
        if unit is not None and not row.is_one_number:
            self.post_message(self.Picked(unit=unit))


def color_key(rows: Sequence[HeatRow]) -> Key:
    """The colours of maps with the values at their ends, behind the names of those that share them."""
    scales: dict[tuple[Kind, str], list[str]] = {}
    for row in rows:
        kind: Kind = "sequential" if row.sequential else "diverging"
        scales.setdefault((kind, UNICODE.number(row.limit)), []).append(row.quantity)
    key: list[tuple[str, str] | Swatches] = []
    for (kind, limit), names in scales.items():
        gap, low = "  " if key else "", "0" if kind == "sequential" else f"−{limit}"
        named = [(f"{name[:_LONGEST_NAME]} ", name) for name in names] if len(scales) > 1 else []
        key += [(gap, "muted"), *named]
        key += [(f"{low} ", "muted"), Swatches(kind), (f" {'1' if kind == 'sequential' else limit}", "muted")]
    return tuple(key)

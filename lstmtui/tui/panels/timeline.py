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
from lstmtui.tui.panels.lane import Lane, LanePlace
from lstmtui.tui.panels.row_label import shape_of
from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.bars import Bars
from lstmtui.tui.widgets.heatmap import Heatmap
from lstmtui.tui.widgets.lane_head import Key, Swatches
from lstmtui.view import View, together

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

    def __init__(self, look: Look) -> None:
        self.rows: list[HeatRow] = []
        self.subtract = False
        """Whether the maps show the difference to what the run is held against."""
        self.shown: Sequence[str] = ()
        """Those of the quantities that have a map."""
        self.turned = 0
        """How many times it was turned to further names, or back, since the cursor came to its stage."""
        self._stage: object = None
        """The cell and the stage that `_turned` is for."""
        self._can_turn = (False, False)
        """Whether there are names before those that are shown, and after them."""
        super().__init__(look)

    def contents(self) -> Sequence[Widget]:
        return self.rows

    @property
    def page(self) -> Page:
        """The timesteps that it shows."""
        return self.axis.page

    def quantities(self, session: Session | View) -> Sequence[str]:
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
        shown = self.shown
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
        self._write_title(session, shown)
        self.show_cursor(session)

    def chosen(self, session: Session, lines: int) -> Sequence[str]:
        """As many of the quantities as have room in so many lines, the same ones for the same stage.

        They are turned to that of the stage that the cursor is on, or the last one before it, and from there
        by [ and ].
        """
        every, room = self.quantities(session), _room(lines)
        cursor = session.cursor
        stage = (cursor.model, cursor.layer, cursor.stage)
        if stage != self._stage:
            self._stage, self.turned = stage, 0
        past = session.cell.stages[cursor.stage :: -1] if cursor.stage is not None else ()
        at = next((every.index(name) for name in past if name in every), 0)
        last = max(0, len(every) - room)
        first = max(0, min((at // room + self.turned) * room, last))
        self._can_turn = (first > 0, first < last)
        return every[first : first + room]

    def action_turn(self, by: int) -> None:
        """Show the next quantities, or those before."""
        if self._can_turn[by > 0]:
            self.turned += by
            self.post_message(self.Appeared())

    def take_place(self, place: LanePlace, session: Session) -> None:
        """Take so many rows: a map for each of its names, all equally high, in the columns of all lanes."""
        super().take_place(place, session)
        self.shown = shown = place.names
        self.make_rows(len(shown))
        is_part = session.layer.source is not None and len(self.quantities(session)) > 1
        for row, quantity in zip(self.rows, [*shown, *[""] * len(self.rows)], strict=False):
            row.display = bool(quantity)
            row.prefix = "" if place.head else f"{self.NUMBER}{'▸' if self.is_marked else ' '}"
            row.says_scale = is_part
            row.take_place(self.axis, max(1, (place.content - place.below) // max(1, len(shown))))

    def make_rows(self, count: int) -> None:
        """Make a row for so many maps: at once before composing, else a moment later."""
        more = [HeatRow(self.look, is_late=self.is_attached) for _ in range(count - len(self.rows))]
        last = self.rows[-1] if self.rows else self.head
        self.rows += more
        if more and self.is_attached:
            self.mount(*more, after=last)

    def _write_title(self, session: Session, shown: Sequence[str]) -> None:
        """The title: what is shown, which colour is which value, and how units share rows."""
        name, count = self.name_of(session), len(self.quantities(session))
        if self.rows[0].difference and session.other is not None:
            against = "as recorded" if session.other is session.baseline else session.other.name
            name = f"{name} − {against}"
        if len(shown) < count:
            name += f": {len(shown)} of {count} names, [ ] turn"
        rows = [row for row in self.rows if row.display]
        is_part = session.layer.source is not None and count > 1
        self.set_keys(() if is_part else color_key(rows))
        self.set_title(name, "" if is_part else self._units(session, shown[0]))

    def _units(self, session: Session, quantity: str) -> str:
        row = self.rows[0]
        count = "×".join(map(str, shape_of(session, quantity))) or "1"
        units = f"{count} unit{'' if count == '1' else 's'}"
        how = "mean" if row.sequential else "the most extreme"
        shared = [f"{row.units_per_row} a row"] if row.units_per_row > 1 else []
        shared += [f"{self.page.per_column} timesteps a column"] if self.page.per_column > 1 else []
        return f"{units}, {', '.join(shared)} ({how})" if shared else units

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


def _room(lines: int) -> int:
    """How many maps have room in so many lines."""
    return max(1, lines if lines <= _FEW_LINES else lines // _LINES_A_ROW)


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

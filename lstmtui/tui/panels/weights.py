"""Panel v: the parameters of the selected layer as maps, gate by gate, and the gradients by them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType

from lstmtui.analysis.term_values import changed_text
from lstmtui.analysis.weights import WeightMap, weight_limit, weight_map
from lstmtui.cells.notation import UNICODE
from lstmtui.errors import UserError
from lstmtui.printable import printable
from lstmtui.session import Session
from lstmtui.tui.palette import level_index, palette
from lstmtui.tui.panels.panel import Panel
from lstmtui.tui.panels.weight_bands import GUTTER, Band, band, stages_with_symbols
from lstmtui.tui.theme import Look, quantity_role
from lstmtui.tui.widgets.columns import ColumnMap
from lstmtui.tui.widgets.heatmap import heat_keys, row_capacity, row_height
from lstmtui.tui.widgets.lane_head import Swatches
from lstmtui.tui.widgets.map_rows import MapRows, Part
from lstmtui.view.query import together

_LEAST_LINES = 2
"""Of a map, below its title."""
_LABEL_GAP = 4
"""Lines from one unit's number to the next, at least."""
_BOTH_FROM = 110
"""Columns from which on gradients stand beside the weights."""


class WeightsPanel(Panel):
    """A row is a unit, a column what it reads; the selected unit is marked in all of them."""

    NUMBER = 11
    KEY = "v"
    TITLE = "Weights"
    HELP = "The weights of each gate; v: the gradients by them. A row is a unit, a column what it reads."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right_square_bracket", "turn(1)", "the next gates", show=False),
        Binding("left_square_bracket", "turn(-1)", "the gates before", show=False),
    ]

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self.rows = MapRows(look)
        self.shows_gradients = False
        self._first = 0
        """Which of the bands is shown on top."""
        self._bands = self._room = 0
        """How many there are, and how many have room."""
        self._units: list[int | None] = []
        """The unit of each line."""
        self._maps: tuple[object, tuple[WeightMap, ...], tuple[float, ...]] | None = None

    def compose(self):  # type: ignore[no-untyped-def]
        yield self.rows

    def pressed_again(self) -> None:
        self.shows_gradients = not self.shows_gradients
        self.forget()
        self.post_message(self.Appeared())

    def action_turn(self, by: int) -> None:
        """Show the next gates, or those before."""
        first = max(0, min(self._first + by * max(1, self._room), self._bands - max(1, self._room)))
        if first != self._first:
            self._first = first
            self.forget()
            self.post_message(self.Appeared())

    def show(self, session: Session) -> None:
        cursor, size = session.cursor, self.rows.size
        place = (id(session.trace), cursor.layer, cursor.direction, size)
        is_late = 0 < session.layer.parameters_until <= cursor.t
        if not self.changed(place, cursor.unit, is_late):
            return
        kinds = (False, True) if size.width >= _BOTH_FROM else (self.shows_gradients,)
        try:
            self._show(session, place, kinds)
        except UserError as error:
            if len(kinds) > 1:  # the weights may be there all the same
                self._try_alone(session, place, str(error))
            else:
                self._show_text([[(str(error), "muted")]])
        self.drawn()

    def _try_alone(self, session: Session, place: object, why: str) -> None:
        try:
            self._show(session, place, (False,), why)
        except UserError as error:
            self._show_text([[(str(error), "muted")]])

    def _show(self, session: Session, place: object, kinds: Sequence[bool], why_no_other: str = "") -> None:
        width, height = self.rows.size
        stages = stages_with_symbols(session)
        if not stages:
            why = "was recorded by source" if session.layer.source is not None else "has no weights"
            text = f"{printable(session.layer.cell)} {why}: there is no map to draw."
            self._show_text([[(text, "muted")]])
            return
        bands = [band(stage, symbols, kinds, width) for stage, symbols in stages.items()]
        self._bands, self._room = len(bands), max(1, min(len(bands), (height - 1) // (_LEAST_LINES + 1)))
        self._first = max(0, min(self._first, self._bands - self._room))
        shown = bands[self._first : self._first + self._room]
        lines = max(1, (height - 1) // self._room - 1)
        maps, limits = self._maps_and_limits(session, place, shown, kinds, stages, lines)
        ends = dict(zip(kinds, limits, strict=True))
        drawn: list[list[Part]] = [color_key(ends)]
        self._units = [None]
        for own in shown:
            of_band, maps = maps[: len(own.slots)], maps[len(own.slots) :]
            for line, unit in self._band_lines(own, of_band, ends, lines, session.cursor.unit):
                drawn.append(line)
                self._units.append(unit)
        self.rows.set_lines(drawn)
        self._say_what(session, kinds, of_band, why_no_other)

    def _maps_and_limits(
        self,
        session: Session,
        place: object,
        shown: Sequence[Band],
        kinds: Sequence[bool],
        stages: dict[str, dict[str, int]],
        lines: int,
    ) -> tuple[tuple[WeightMap, ...], tuple[float, ...]]:
        """The maps of some bands, and where the colours end; another unit asks for nothing."""
        facts = (place, tuple(shown), tuple(kinds), lines)
        if self._maps is None or self._maps[0] != facts:
            symbols = tuple(symbol for own in stages.values() for symbol in own)
            rows = row_capacity(lines, self.look)
            answers = together(
                *(partial(weight_limit, session.view, symbols, is_gradient) for is_gradient in kinds),
                *(
                    partial(weight_map, session.view, slot.symbol, rows, slot.columns, slot.is_gradient)
                    for own in shown
                    for slot in own.slots
                ),
            )
            self._maps = (facts, answers[len(kinds) :], answers[: len(kinds)])
        return self._maps[1], self._maps[2]

    def _band_lines(
        self,
        own: Band,
        maps: Sequence[WeightMap],
        limits: dict[bool, float],
        lines: int,
        unit: int,
    ) -> Iterator[tuple[list[Part], int | None]]:
        """The title of each map, then the maps line by line, each with its first unit."""
        titles: list[Part] = [(own.stage[: GUTTER - 1].ljust(GUTTER), quantity_role(own.stage))]
        titles += [(slot.title.ljust(slot.width), "parameter") for slot in own.slots]
        yield titles, None
        columns = []
        for slot, made in zip(own.slots, maps, strict=True):
            limit = limits[slot.is_gradient]
            levels = level_index(
                made.values, -limit, limit, "diverging", palette("diverging", self.look).levels
            )
            places = ColumnMap(len(levels), len(levels) * slot.cell_width)
            columns.append(heat_keys(levels, lines, places, "diverging", self.look))
        highest = max(maps, key=lambda made: made.values.shape[1])
        high = row_height(highest.values.shape[1], lines, self.look)
        per_line = 2 if self.look.half_blocks else 1
        above, due = -1, 0
        for at in range(max(map(len, columns))):
            first = at * per_line // high * highest.units_per_row
            last = ((at + 1) * per_line - 1) // high * highest.units_per_row + highest.units_per_row - 1
            is_own = first <= unit <= last
            begins, above = first != above, first
            label = str(unit if is_own else first) if begins and (is_own or at >= due) else ""
            due = at + _LABEL_GAP if begins and at >= due else due
            line: list[Part] = [
                (label.rjust(GUTTER - 1), "selected" if is_own else "muted"),
                ("▸" if is_own else " ", "cursor"),
            ]
            for slot, keys in zip(own.slots, columns, strict=True):
                if at < len(keys):
                    line.append(keys[at])
                    drawn = len(keys[at][0]) * slot.cell_width
                else:
                    drawn = 0
                line.append((" " * (slot.width - drawn), "sign"))
            yield line, unit if is_own else first

    def _say_what(self, session: Session, kinds: Sequence[bool], maps: Sequence[WeightMap], why: str) -> None:
        more = f"{self._room} of {self._bands} gates, [ ] turn" if self._room < self._bands else ""
        shared = max((made.units_per_row for made in maps), default=1)
        rows = f"{shared} units a row (the most extreme)" if shared > 1 else ""
        other = why or ("" if len(kinds) > 1 else f"{self.key}: {'weights' if kinds[0] else 'gradients'}")
        is_late = 0 < session.layer.parameters_until <= session.cursor.t
        late = changed_text(session.layer) if is_late else ""
        self.set_title(
            f"Weights: unit {session.cursor.unit}",
            "  ".join(filter(None, (late, more, rows, other))),
        )

    def _show_text(self, lines: Sequence[Sequence[Part]]) -> None:
        self._units, self._bands, self._room = [], 0, 0
        self.rows.set_lines(lines)
        self.set_title(self.TITLE, f"{self.key}: {'weights' if self.shows_gradients else 'gradients'}")

    @on(MapRows.Clicked)
    def _pick(self, event: MapRows.Clicked) -> None:
        event.stop()
        unit = self._units[event.line] if event.line < len(self._units) else None
        if unit is not None:
            self.post_message(self.Picked(unit=unit))


def color_key(ends: dict[bool, float]) -> list[Part]:
    """The colours with the values at their ends, of the weights, of the gradients by them, or of both."""
    key: list[Part] = []
    for is_gradient, limit in ends.items():
        end = UNICODE.number(limit)
        key += [(f"{'  ' if key else ''}{'∂L by weights' if is_gradient else 'weights'} −{end} ", "muted")]
        key += [Swatches("diverging"), (f" {end}", "muted")]
    return key

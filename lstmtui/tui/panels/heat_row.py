"""One quantity over time: its name, a heat map of units × timesteps, and bars of this timestep."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
from textual.app import ComposeResult
from textual.containers import Horizontal

from lstmtui.analysis.comparison import common_quantities, difference, difference_limit
from lstmtui.analysis.windows import Binning, Page, Window, color_limit, is_bound_at, vector, window
from lstmtui.arrays import Array, as_drawn
from lstmtui.cells.notation import UNICODE
from lstmtui.session import Session
from lstmtui.trace import Trace
from lstmtui.tui.panels.hiding import masked_map
from lstmtui.tui.panels.panel import Panel
from lstmtui.tui.panels.row_label import RowLabel, shape_of, whole_blocks
from lstmtui.tui.panels.time_axis import TimeAxis
from lstmtui.tui.theme import Look, quantity_role
from lstmtui.tui.widgets.bars import Bars
from lstmtui.tui.widgets.heatmap import Heatmap, row_capacity
from lstmtui.tui.widgets.text_lines import TextLines
from lstmtui.view.query import together


@dataclass(frozen=True, eq=False)
class RowView:
    """What a row is about to show."""

    facts: object
    """What the map depends on."""
    quantity: str
    page: Page
    t: int
    map: tuple[Window, float] | None
    """The numbers, and where the colours end; None: the map that is there stays."""
    shape: tuple[int, ...]
    """The axes of the quantity behind the batch."""
    unit: int | None
    """The selected one; None where the quantity has no such unit."""
    now: Array | None
    """The bars of this timestep; None without bars."""
    most: float
    """Where the bars end."""
    signed: bool
    """Whether the bars run to both sides of 0."""
    is_bound: bool
    """Whether recorded code bound the quantity at this timestep."""


class HeatRow(Horizontal):
    """A heat map with its label and, where there is room, bars of the same units."""

    DEFAULT_CSS = """
    HeatRow { height: 1fr; }
    HeatRow > Bars { width: 1fr; margin-left: 1; }
    """

    def __init__(self, look: Look, *, is_late: bool = False) -> None:
        super().__init__()
        self.look, self._is_late = look, is_late
        self.label = TextLines(look)
        self.map = Heatmap(look)
        self.bars = Bars(look)
        self.prefix = ""
        """What stands before the name in the label: the panel's number, where there is no title."""
        self.says_scale = False
        """Whether the label says where the colours end."""
        self._units: list[int | None] = []
        """The unit that has its bar on each line."""
        self.quantity = ""
        self.difference = False
        self.in_unit_interval = False
        """Whether the quantity is a gate between 0 and 1; all others lie round 0."""
        self.units_per_row = 1
        self.is_one_number = False
        """Whether the quantity is one number for each sequence, whichever unit is selected."""
        self.limit = 1.0
        """Where the colours end: the map runs from 0 or −limit to limit."""
        self._drawn: object = None
        self._unbound: frozenset[int] = frozenset()
        """The columns of the page in which recorded code did not bind the name."""

    def compose(self) -> ComposeResult:
        yield self.label
        yield self.map
        yield self.bars

    def on_resize(self) -> None:
        """Ask to be shown the session where the panel was shown it before this row had its place."""
        if self._is_late and self.columns_wide:
            self._is_late = False
            self.post_message(Panel.Appeared())

    @property
    def sequential(self) -> bool:
        """Whether the map runs from 0 to 1."""
        return self.in_unit_interval and not self.difference

    @property
    def columns_wide(self) -> int:
        """How many timesteps fit."""
        return self.map.size.width

    def take_place(self, axis: TimeAxis, height: int) -> None:
        """Take the columns that all lanes share, and a height."""
        self.label.styles.width, self.map.styles.width = axis.gutter, axis.plot
        self.bars.display = axis.has_bars
        self.styles.height = height

    def unit_at(self, line: int) -> int | None:
        """The unit whose bar stands on a line."""
        return self._units[line] if 0 <= line < len(self._units) else None

    def view(
        self, session: Session, quantity: str, axis: TimeAxis, *, subtract: bool = False
    ) -> RowView | None:
        """What is to be drawn: the map if the page or the selection changed, and the bars of this timestep.

        Args:
            session: whose cursor says what is selected.
            quantity: what to show.
            axis: says which timesteps.
            subtract: show the selected run minus `session.other`, where there is one.

        Raises:
            NotReady: not all of it is here yet.
        """
        cursor, size, page = session.cursor, self.map.size, axis.page
        other = session.other if subtract else None
        if other is not None and quantity not in common_quantities(session.view, other):
            other = None  # the other run has no such quantity, or not as many units: its own values then
        self.quantity, self.difference = quantity, other is not None
        self.in_unit_interval = session.cell.in_unit_interval(quantity)
        if not size.width or not size.height:
            return None
        runs = (id(session.trace), id(other))
        facts = (cursor.layer, cursor.direction, cursor.batch, quantity, page, axis.columns, size, *runs)
        has_bars = self.bars.display and bool(self.bars.size.area)
        signed = not self.in_unit_interval
        map_, now, most, is_bound = together(
            lambda: None if facts == self._drawn else self._map(session, quantity, page, other),
            lambda: vector(session.view, quantity) if has_bars else None,
            lambda: color_limit(session.view, quantity) if has_bars and signed else 1.0,
            lambda: not (has_bars and session.layer.source) or is_bound_at(session.view, quantity),
        )
        map_ = masked_map(session, quantity, map_)
        count = session.layer.size(quantity)
        unit = 0 if count == 1 else cursor.unit if cursor.unit < count else None
        return RowView(
            facts,
            quantity,
            page,
            cursor.t,
            map_,
            shape_of(session, quantity),
            unit,
            now,
            most,
            signed,
            is_bound,
        )

    def _map(self, session: Session, quantity: str, page: Page, other: Trace | None) -> tuple[Window, float]:
        """The numbers of the map, and where its colours end."""
        # Of the size it has, which is not drawn yet: the map's own capacity is that of its last picture.
        capacity = row_capacity(self.map.size.height, self.look)
        rows = whole_blocks(shape_of(session, quantity), capacity)
        if other is not None:
            window_, limit = together(
                lambda: difference(
                    session.view, other, quantity, page.start, page.stop, rows, "extreme", page.per_column
                ),
                lambda: difference_limit(session.view, other, quantity),
            )
            return window_, limit
        binning: Binning = "mean" if self.sequential else "extreme"
        window_, limit = together(
            lambda: window(session.view, quantity, page.start, page.stop, rows, binning, page.per_column),
            lambda: 1.0 if self.sequential else color_limit(session.view, quantity),
        )
        return window_, limit

    def draw(self, view: RowView | None, axis: TimeAxis) -> None:
        """Draw what `view` has found; None: there is no room."""
        if view is None:
            return
        self.is_one_number = view.shape == ()
        if view.map is not None:
            self._draw_map(*view.map, axis)
            self._drawn = view.facts
        self._show_label(view)
        if view.now is not None:
            self._draw_bars(view, view.now)

    def _draw_bars(self, view: RowView, now: Array) -> None:
        """A bar beside each unit that has a line to itself; where units share lines, of the selected one."""
        height = self.map.size.height
        lines = [self.map.line_of(row) for row in range(-(-len(now) // self.units_per_row))]
        self._units, labels = [None] * height, [""] * height
        selected = None
        if view.unit is not None:
            selected = self.map.line_of(view.unit // self.units_per_row)
            selected = selected if selected < height else None
        if self.units_per_row == 1 and len(set(lines)) == len(lines):
            for unit, line in enumerate(lines[:height]):
                self._units[line] = unit
        elif selected is not None and view.unit is not None:
            self._units[selected], labels[selected] = view.unit, str(view.unit)
        is_absent = not view.is_bound or view.page.column_of(view.t) in self._unbound
        absent = np.array([unit is None or is_absent for unit in self._units], bool)
        values = np.array([0.0 if unit is None else now[unit] for unit in self._units], np.float64)
        low, kind = (-view.most, "diverging") if view.signed else (0.0, "sequential")
        roles = (quantity_role(view.quantity),)
        self.bars.set_data(values, low, view.most, kind, labels, selected, roles, absent)  # type: ignore[arg-type]

    def _draw_map(self, shown: Window, limit: float, axis: TimeAxis) -> None:
        self.limit, self.units_per_row = limit, shown.units_per_row
        kind, low = ("sequential", 0.0) if self.sequential else ("diverging", -limit)
        absent = (~shown.valid)[:, None].repeat(shown.values.shape[1], axis=1)
        unbound = None if shown.bound is None else shown.valid & ~shown.bound
        self._unbound = frozenset() if unbound is None else frozenset(np.flatnonzero(unbound).tolist())
        self.map.set_data(as_drawn(shown.values), low, limit, kind, absent, axis.columns, unbound)  # type: ignore[arg-type]

    def forget(self) -> None:
        """Draw everything the next time."""
        self._drawn = None

    def _show_label(self, view: RowView) -> None:
        scale = "0…1" if self.sequential else f"±{UNICODE.number(self.limit)}"
        marked = None if view.unit is None else self.map.line_of(view.unit // self.units_per_row)
        scale = scale if self.says_scale else ""
        label = RowLabel(view.quantity, self.prefix, scale, view.shape, marked, self._line_starts(view.shape))
        self.label.set_lines(label.lines(self.label.size.width, self.map.size.height, self.look))

    def _line_starts(self, shape: tuple[int, ...]) -> dict[int, str]:
        """The line on which each unit begins, or each index of the first of several axes."""
        block, height = prod(shape[1:]), self.map.size.height
        if len(shape) < 2:
            rows = -(-prod(shape) // self.units_per_row) if shape else 0
            starts = {self.map.line_of(row): str(row * self.units_per_row) for row in reversed(range(rows))}
            return {line: start for line, start in starts.items() if line < height}
        if shape[0] > height:
            return {}
        return {self.map.line_of(k * block // self.units_per_row): str(k) for k in range(shape[0])}

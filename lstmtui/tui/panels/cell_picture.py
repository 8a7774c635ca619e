"""Panel i: the cell as a picture, with the numbers of one unit at this timestep."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from typing import ClassVar

from rich.cells import cell_len
from textual.binding import Binding, BindingType

from lstmtui.analysis.node_values import node_values_at, nodes_of
from lstmtui.analysis.windows import color_limit
from lstmtui.cells.notation import ASCII, UNICODE
from lstmtui.printable import printable
from lstmtui.session import Session
from lstmtui.tui.diagram.drawing import Drawing
from lstmtui.tui.diagram.layout import drawing_for
from lstmtui.tui.palette import Kind
from lstmtui.tui.panels.cell_writing import Lit, Writing
from lstmtui.tui.panels.panel import Panel
from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.picture import Picture, Piece
from lstmtui.view.query import together

BY_SOURCE = (
    "This run was recorded by source: its quantities",
    "are the variables of its own code. There are no",
    "equations of which a picture could be drawn.",
    "5 Step shows the lines, and what each one gave.",
)
TOO_MANY_WIRES = (
    "The operations of this cell read so many others",
    "that no room is left for the wires of a picture.",
    "5 Step has its equations.",
)


class CellPicturePanel(Panel):
    """The equations as wires between operations; inside a timestep, what is not evaluated yet is grey."""

    NUMBER = 10
    KEY = "i"
    TITLE = "Cell"
    HELP = "The cell as a picture, in numbers of one unit. ↓ goes from gate to gate. Colours as in the maps."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right_square_bracket", "turn(1)", "the next part", show=False),
        Binding("left_square_bracket", "turn(-1)", "the part before", show=False),
    ]

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self.picture = Picture(look)
        self.notation = ASCII if look.ascii else UNICODE
        self._part = 0
        self._turned_at: object = None
        """The cell and its stage of which `_part` is."""
        self._rows: list[list[Piece]] = []
        self._corners: list[tuple[int, int]] = [(0, 0)]

    def compose(self):  # type: ignore[no-untyped-def]
        yield self.picture

    def rows_wanted(self, session: Session, width: int) -> int:
        """The rows that the picture needs in a panel so wide, with its border."""
        drawing = self._drawing(session, width - 2, 0)
        return max(len(BY_SOURCE), 0 if drawing is None else drawing.height) + 2

    def _drawing(self, session: Session, width: int, height: int) -> Drawing | None:
        """None where there is no picture of what runs."""
        if session.layer.source is not None:
            return None
        nodes = nodes_of(session.cell, projected=bool(session.layer.proj_size))
        index_width = cell_len(self.notation.at("", session.last_t + 1))
        return drawing_for(nodes, session.cell.states, width, height, index_width, self.look.ascii)

    def show(self, session: Session) -> None:
        cursor, size = session.cursor, self.picture.size
        if not self.changed(cursor, size):
            return
        drawing = self._drawing(session, *size)
        if drawing is None:
            why = TOO_MANY_WIRES if session.layer.source is None else BY_SOURCE
            self._corners, self._part = [(0, 0)], 0
            self._rows = [[Piece(line, "muted")] for line in why]
            self._draw()
            self.set_title(f"Cell: {printable(session.layer.cell)}")
        else:
            self._show(session, drawing, *size)
        self.drawn()

    def _show(self, session: Session, drawing: Drawing, width: int, height: int) -> None:
        cursor, cell, layer = session.cursor, session.cell, session.layer
        nodes = nodes_of(cell, projected=bool(layer.proj_size))
        values, *limits = together(
            lambda: node_values_at(session.view),
            *(partial(_limit, session, quantity) for quantity in cell.stages),
        )
        scales: dict[str, tuple[float, Kind]] = {
            quantity: (limit, "sequential" if cell.in_unit_interval(quantity) else "diverging")
            for quantity, limit in zip(cell.stages, limits, strict=True)
        }
        lit = Lit(nodes, cell, cursor.stage, session.unseen)
        backward = cursor.direction == "backward"
        writing = Writing(
            nodes, values, scales, lit, self.notation, cursor.t, cursor.t + (1 if backward else -1)
        )
        self._rows = [list(writing.row(row, drawing.width)) for row in drawing.rows]
        self._corners = _corners(drawing, width, height)
        if (place := (cursor.model, cursor.layer, cursor.stage)) != self._turned_at:
            self._turned_at, self._part = place, 0
        if cursor.stage is not None:
            self._part = _part_with(drawing, lit.current, self._corners, width, height)
        self._part = min(self._part, len(self._corners) - 1)
        self._draw()
        inside = (
            ""
            if cursor.stage is None
            else f"  {cell.stages[cursor.stage]}: {cursor.stage + 1} of {len(cell.stages)}"
        )
        self.set_title(f"Cell: unit {cursor.unit} at t={cursor.t}{inside}", self._turning)

    @property
    def _turning(self) -> str:
        count = len(self._corners)
        return f"part {self._part + 1} of {count}: [ ] turn" if count > 1 else ""

    def _draw(self) -> None:
        self.picture.set_rows(self._rows, *self._corners[self._part])

    def action_turn(self, by: int) -> None:
        """Show the next part of a picture that has no room, or the one before."""
        self._part = max(0, min(self._part + by, len(self._corners) - 1))
        if self._rows:
            self._draw()
            self.set_title(self.title, self._turning)


def _limit(session: Session, quantity: str) -> float:
    """Where the colours of a quantity end."""
    return 1.0 if session.cell.in_unit_interval(quantity) else color_limit(session.view, quantity)


def _corners(drawing: Drawing, width: int, height: int) -> list[tuple[int, int]]:
    """The left and upper corner of each part of a drawing that has no room: columns first."""
    return [(left, top) for top in _begins(drawing.height, height) for left in _begins(drawing.width, width)]


def _begins(whole: int, room: int) -> list[int]:
    if whole <= room or room <= 2:
        return [0]
    return [*range(0, whole - room, room - 2), whole - room]


def _part_with(
    drawing: Drawing, nodes: Collection[int], corners: Sequence[tuple[int, int]], width: int, height: int
) -> int:
    """The part that shows most of what is written of some nodes."""
    spots = [
        (run.x, y)
        for y, row in enumerate(drawing.rows)
        for run in row
        if run.node in nodes and run.part in ("text", "label")
    ]

    def shown(corner: tuple[int, int]) -> int:
        left, top = corner
        return sum(left <= x < left + width and top <= y < top + height for x, y in spots)

    return max(range(len(corners)), key=lambda part: (shown(corners[part]), -part))

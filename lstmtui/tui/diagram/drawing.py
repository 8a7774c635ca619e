"""A cell's picture as characters: wires, operations, and room for the number of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from rich.cells import cell_len

from lstmtui.tui.diagram.placement import Placement, Spot
from lstmtui.tui.diagram.routing import Cell, Wires

FIELD = 7
"""Characters of a number."""
_CORNERS = {
    "LR": "─", "DU": "│", "DR": "┌", "DL": "┐", "RU": "└", "LU": "┘",
    "DRU": "├", "DLU": "┤", "DLR": "┬", "LRU": "┴", "DLRU": "┼",
    "L": "─", "R": "─", "U": "│", "D": "│",
}  # fmt: skip
_ASCII_SIGNS = {"·": "*", "σ": "sigm", "√": "sqrt", "Σ": "sum", "−": "-", "×": "*", "²": "^2", "′": "'"}
_ASCII_CORNERS = {"LR": "-", "DU": "|", "L": "-", "R": "-", "U": "|", "D": "|"}

Part: TypeAlias = Literal["text", "label", "old", "new", "value", "before", "wire"]
"""old, new: the name of a state before and after the timestep; before: the value that a function is given."""


@dataclass(frozen=True)
class Glyphs:
    """A run of characters of one row that belong to one node."""

    x: int
    text: str
    part: Part
    """wire: of the net of `node`; value, before: room for a number, `text` is what stands behind it."""
    node: int


@dataclass
class Drawing:
    """The rows from top to bottom, each its runs from left to right; and the columns in all."""

    rows: list[list[Glyphs]] = field(default_factory=list)
    width: int = 0

    @property
    def height(self) -> int:
        """How many rows there are."""
        return len(self.rows)


@dataclass(frozen=True)
class Form:
    """How much room names and numbers take."""

    stacked: bool
    """The value of a gate has a row of its own."""
    edge_values: Literal["beside", "below"]
    """Where states at the edges have their values; those that have no room below have it above."""
    tracks: int
    """Columns for wires between two columns of operations."""
    margin: int
    """More of them at the right."""


class Painter:
    """Draws a placement and its wires.

    Args:
        placement: what stands where.
        wires: between them.
        form: how much room there is.
        index_width: characters of the index of the longest run's last timestep.
        ascii: without box characters.
    """

    def __init__(
        self, placement: Placement, wires: Wires, form: Form, index_width: int, *, ascii: bool
    ) -> None:
        self._place, self._wires, self._form = placement, wires, form
        self._ascii, self._index_width = ascii, index_width
        self._graph = placement.graph
        self._starts = self._column_starts()
        self._rows: dict[int, dict[int, tuple[str, Part, int]]] = {}
        """By row from the foot, and character: what stands there."""

    def drawing(self) -> Drawing:
        """All of it."""
        self._draw_wires()
        self._draw_spots()
        self._draw_edges()
        self._draw_values()
        width = self._starts[-1]
        low, high = min(self._rows), max(self._rows)
        rows = [list(_runs(self._rows.get(y, {}))) for y in range(high, low - 1, -1)]
        return Drawing(rows, width)

    def _edge_width(self, name: str) -> int:
        return cell_len(name) + self._index_width

    def _column_starts(self) -> list[int]:
        """The first character of each column of the grid, and the end of the last."""
        place, form = self._place, self._form
        widths = [1] * place.width
        for (x, _), spot in place.spots.items():
            size = self._size_of(spot)
            widths[x] = max(widths[x], size)
        sources = [self._edge_width(node.stage) for node in self._graph.nodes if node.kind == "source"]
        ends = [self._edge_width(state) for state in place.ends]
        beside = form.edge_values == "beside"
        number, least = (1 + FIELD, 0) if beside else (0, FIELD)
        widths[0] = max(max(sources, default=0) + number + 2, least)
        widths[-1] = 3 + max(max(ends, default=0) + number, least)
        widths[-2] += form.margin
        starts = [0]
        for width in widths:
            starts.append(starts[-1] + width)
        return starts

    def _size_of(self, spot: Spot) -> int:
        node = self._graph.nodes[spot.node]
        if spot.part == "text":
            # Blanks keep the sign of a function apart from the wire that runs through it.
            return cell_len(self._text(spot.node)) + 2 * (spot.node in self._place.columns.beside)
        if spot.part == "label":
            return cell_len(node.name) + (0 if self._place.stacked else 1 + FIELD)
        return FIELD

    def _text(self, at: int) -> str:
        text = self._graph.nodes[at].text
        return "".join(_ASCII_SIGNS.get(sign, sign) for sign in text) if self._ascii else text

    def _center(self, x: int) -> int:
        """The character of a grid column in which wires run up and down."""
        start, end = self._starts[x], self._starts[x + 1]
        if x in (0, self._place.width - 1):
            return end - 1 if x == 0 else start
        return start + (end - start - 1) // 2

    def _put(self, y: int, at: int, text: str, part: Part, node: int) -> None:
        row = self._rows.setdefault(y, {})
        for offset, character in enumerate(text):
            row[at + offset] = (character, part, node)

    def _draw_wires(self) -> None:
        level, upright = ("-", "|") if self._ascii else ("─", "│")
        for (x, y), nets in self._wires.arms.items():
            center = self._center(x)
            for net, arms in nets.items():
                node = net if net >= 0 else -1 - net
                if "L" in arms:
                    self._put(y, self._starts[x], level * (center - self._starts[x]), "wire", node)
                if "R" in arms and x < self._place.width - 1:
                    self._put(y, center + 1, level * (self._starts[x + 1] - center - 1), "wire", node)
            self._put(y, center, *self._crossing((x, y), nets, upright))

    def _crossing(self, cell: Cell, nets: Mapping[int, set[str]], upright: str) -> tuple[str, Part, int]:
        """The character where the wires of a cell meet: one goes over another, as a bridge."""
        over = next((net for net, arms in nets.items() if arms & {"U", "D"}), next(iter(nets)))
        node = over if over >= 0 else -1 - over
        if len(nets) > 1 and cell not in self._wires.joints:
            return upright, "wire", node
        form = "".join(sorted(set().union(*nets.values())))
        return _ASCII_CORNERS.get(form, "+") if self._ascii else _CORNERS[form], "wire", node

    def _draw_spots(self) -> None:
        place = self._place
        for (x, y), spot in place.spots.items():
            node = self._graph.nodes[spot.node]
            center = self._center(x)
            size = self._size_of(spot)
            start = max(self._starts[x], center - (size - 1) // 2)
            if spot.part == "text":
                self._put(y, start, self._text(spot.node).center(size), "text", spot.node)
            elif spot.part == "label":
                self._put(y, start, node.name, "label", spot.node)
                if not place.stacked:
                    self._put(y, start + cell_len(node.name), " ", "wire", spot.node)
                    self._put(y, start + cell_len(node.name) + 1, " " * FIELD, "value", spot.node)
            else:
                part: Part = "before" if spot.part == "before" else "value"
                self._put(y, start, " " * FIELD, part, spot.node)

    def _draw_edges(self) -> None:
        place, graph = self._place, self._graph
        left = {row: at for at, row in place.bus.items() if graph.nodes[at].stage not in graph.highways}
        left |= {row: graph.source(state) for state, row in place.highway.items()}
        for row, at in left.items():
            self._edge(row, 0, at, graph.nodes[at].stage, "old")
        last = self._starts[-2]
        for state, row in place.ends.items():
            self._put(row, last, "-> " if self._ascii else "─▶ ", "wire", graph.results[state])
            self._edge(row, last + 3, graph.results[state], state, "new")

    def _edge(self, row: int, at: int, node: int, name: str, part: Part) -> None:
        width = self._edge_width(name)
        self._put(row, at, name + " " * (width - cell_len(name)), part, node)
        if self._form.edge_values == "beside":
            self._put(row, at + width + 1, " " * FIELD, "value", node)
            return
        cells = range(at, at + FIELD)
        for other in (row - 1, row + 1):
            if not any(cell in self._rows.get(other, {}) for cell in cells):
                self._put(other, at, " " * FIELD, "value", node)
                return

    def _draw_values(self) -> None:
        """Room for the number of each operation without a label: beside it, or on the wire that leads on."""
        place = self._place
        for at, (x, y) in place.text_at.items():
            node = self._graph.nodes[at]
            if node.name:  # it has a label, or stands at the edge
                continue
            size, center = cell_len(self._text(at)), self._center(x)
            start = max(self._starts[x], center - (size - 1) // 2)
            middle = center - (FIELD - 1) // 2
            places = (y, start + size + 1), (y, start - FIELD - 1), (y - 1, middle), (y + 1, middle)
            room = next((p for p in places if self._has_room(*p, at, upright=p[0] != y)), None)
            if room is not None:
                row = self._rows.setdefault(room[0], {})
                for c in range(room[1], room[1] + FIELD):
                    behind = row[c][0] if c in row and room[0] == y else " "
                    row[c] = (behind, "value", at)

    def _has_room(self, y: int, first: int, node: int, *, upright: bool) -> bool:
        """Whether a number could stand there, with nothing beside it but wires of its own."""
        row, signs = self._rows.get(y, {}), "│|" if upright else "─-"
        cells = range(first - 1, first + FIELD + 1)
        if not (cells[0] >= 0 and cells[-1] < self._starts[-2] and min(self._rows) <= y <= max(self._rows)):
            return False
        there = [row[c] for c in cells if c in row]
        return all(sign in signs and part == "wire" and of == node for sign, part, of in there) and (
            not upright or len(there) == 1
        )


def _runs(row: Mapping[int, tuple[str, Part, int]]) -> Iterator[Glyphs]:
    """Neighbouring characters of one part of one node, together."""
    start, text = 0, ""
    last: tuple[Part, int] | None = None
    for at in sorted(row):
        character, part, node = row[at]
        if last == (part, node) and at == start + len(text):
            text += character
            continue
        if last is not None:
            yield Glyphs(start, text, *last)
        start, text, last = at, character, (part, node)
    if last is not None:
        yield Glyphs(start, text, *last)

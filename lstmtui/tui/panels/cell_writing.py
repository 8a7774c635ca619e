"""What is written into the picture of a cell at one timestep: names, numbers and their colours, wires."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from lstmtui.cells.cell import Cell
from lstmtui.cells.dataflow import Node, NodeValue
from lstmtui.cells.notation import Notation
from lstmtui.tui.diagram.drawing import FIELD, Glyphs
from lstmtui.tui.palette import Kind
from lstmtui.tui.panels.hiding import MARK
from lstmtui.tui.theme import quantity_role
from lstmtui.tui.widgets.picture import Piece, Shade


class Lit:
    """Which nodes are evaluated where the cursor is, which is evaluated now, and which are hidden."""

    def __init__(self, nodes: Sequence[Node], cell: Cell, stage: int | None, hidden: Collection[str]) -> None:
        self._nodes, self._hidden = nodes, hidden
        order: dict[str, int] = {}
        for quantity in cell.quantities:
            # What has no stage of its own is evaluated on the way to the next one.
            order[quantity] = len([name for name in cell.stages if name in order])
        self._at = [order.get(node.stage, 0) for node in nodes]
        self._stage = stage
        self.current = [
            at for at, node in enumerate(nodes) if node.kind != "source" and self._at[at] == stage
        ]
        """Those of the stage evaluated last."""

    def is_pending(self, at: int) -> bool:
        """Whether a node is evaluated later."""
        return self._stage is not None and self._nodes[at].kind != "source" and self._at[at] > self._stage

    def is_current(self, at: int) -> bool:
        """Whether a node belongs to the stage evaluated last."""
        return at in self.current

    def is_hidden(self, at: int) -> bool:
        """Whether a number would give away what is hidden."""
        node = self._nodes[at]
        names = {node.stage, node.name, node.before, *(self._nodes[read].stage for read in node.reads)}
        return bool(names.intersection(self._hidden))


@dataclass(frozen=True)
class Writing:
    """What is written into a drawing at one timestep."""

    nodes: Sequence[Node]
    values: Sequence[NodeValue]
    scales: Mapping[str, tuple[float, Kind]]
    """Of each quantity, where its colours end, and on which map."""
    lit: Lit
    notation: Notation
    t: int
    previous: int

    def row(self, runs: Sequence[Glyphs], width: int) -> Iterator[Piece]:
        """One row of the drawing."""
        at = 0
        for run in runs:
            if run.x > at:
                yield Piece(" " * (run.x - at), "sign")
            yield from self._pieces(run)
            at = run.x + cell_len(run.text)
        if width > at:
            yield Piece(" " * (width - at), "sign")

    def _pieces(self, run: Glyphs) -> Iterator[Piece]:
        node, lit = self.nodes[run.node], self.lit
        pending, current = lit.is_pending(run.node), lit.is_current(run.node)
        if run.part in ("value", "before"):
            yield from self._number(run, pending=pending)
        elif run.part == "wire":
            role = "rule" if pending else "accent" if current else "sign"
            yield Piece(run.text, role, is_bold=current)
        else:
            text = run.text
            if run.part in ("old", "new") and node.stage in self.scales:
                name = self.notation.at(node.stage, self.previous if run.part == "old" else self.t)
                text = name + " " * (cell_len(text) - cell_len(name))
            role = "muted" if pending else quantity_role(node.stage)
            yield Piece(text, role, is_bold=current)

    def _number(self, run: Glyphs, *, pending: bool) -> Iterator[Piece]:
        node, value = self.nodes[run.node], self.values[run.node]
        number = value.before if run.part == "before" else value.value
        if pending or number is None:
            yield Piece(run.text, "rule" if pending else "sign")
            return
        if self.lit.is_hidden(run.node):
            text, shade = MARK, None
        else:
            text = fitted_number(number, self.notation)
            limit, kind = self.scales.get(node.stage.removesuffix("_pre"), (1.0, "diverging"))
            shade = Shade(number, limit, kind) if run.part == "value" and node.stage != "x" else None
        role = "warning" if text == MARK else "number" if run.part == "value" else "muted"
        yield Piece(text, role, shade)
        if len(text) < len(run.text):
            yield Piece(run.text[len(text) :], "sign")


def fitted_number(value: float, notation: Notation) -> str:
    """A number in as many digits as its field has room for."""
    texts = [notation.number(value, digits, FIELD) for digits in (3, 2)]
    return next((text for text in texts if len(text) <= FIELD), texts[-1][:FIELD])

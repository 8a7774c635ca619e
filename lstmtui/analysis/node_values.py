"""The numbers of a cell's picture: what each operation of the timestep under the cursor gives."""

from __future__ import annotations

from functools import lru_cache

from lstmtui.analysis.equations import operands_at
from lstmtui.cells import Cell
from lstmtui.cells.dataflow import Node, NodeValue, dataflow
from lstmtui.cells.formula import definitions
from lstmtui.errors import UserError
from lstmtui.trace.lengths import lengths_of
from lstmtui.view.query import query
from lstmtui.view.view import View


@lru_cache(maxsize=64)
def nodes_of(cell: Cell, *, projected: bool) -> tuple[Node, ...]:
    """The nodes of a cell's picture, in order of evaluation.

    Args:
        cell: whose equations.
        projected: whether h is a projection.
    """
    return dataflow(cell.definitions(projected=projected).items(), cell.states)[0]


@query("t", "unit")
def node_values_at(view: View) -> tuple[NodeValue, ...]:
    """The numbers of each node of `nodes_of` at the cursor, for the selected unit.

    A quantity has the value that was recorded. Nothing is known past the end of a layer that has fewer
    timesteps than the run, of x where it has more than one feature, and of what weights are needed for that
    the trace does not hold.

    Raises:
        UserError: the layer was recorded by source.
    """
    cursor, layer, cell = view.cursor, view.layer, view.cell
    if layer.source is not None:
        raise UserError("the equations of recorded code are not known, so there is no picture of it")
    nodes = nodes_of(cell, projected=bool(layer.proj_size))
    unknown = (NodeValue(None, None),) * len(nodes)
    if cursor.t >= int(lengths_of(view.trace, cursor.layer)[cursor.batch]):
        return unknown
    place = (cursor.layer, cursor.direction, cursor.batch)
    operands = operands_at(view.trace, *place, cursor.unit, cursor.t)
    has_weights = bool(operands.parameters)
    made, values = dataflow(definitions(cell, operands), cell.states, has_weights=has_weights)
    if len(made) != len(nodes):  # without the weights nothing tells of the projection
        values = unknown

    def recorded(name: str) -> float | None:
        vector = operands.recorded.get(name)
        if vector is None or (len(vector) <= cursor.unit and len(vector) != 1):
            return None
        return float(vector[cursor.unit if len(vector) > 1 else 0])

    return tuple(
        NodeValue(
            recorded(node.name) if node.name else None if _is_wide_x(node, view) else value.value,
            recorded(node.before) if node.before else value.before,
        )
        for node, value in zip(nodes, values, strict=True)
    )


def _is_wide_x(node: Node, view: View) -> bool:
    """Whether a node is an input that no unit has a number of."""
    return node.kind == "source" and node.stage == "x" and view.layer.input_size != 1

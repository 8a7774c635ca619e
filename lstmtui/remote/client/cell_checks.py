"""Whether an answer can be one to a query about the picture of a cell, or about its weights."""

from __future__ import annotations

import numpy as np

from lstmtui.analysis.node_values import nodes_of
from lstmtui.analysis.weights import WeightMap
from lstmtui.cells.dataflow import NodeValue
from lstmtui.remote.client.query_context import QueryContext


def are_node_values(context: QueryContext, answer: tuple[NodeValue, ...]) -> bool:
    """Whether there is a value for each node of the selected layer's cell."""
    layer = context.selected
    return len(answer) == len(nodes_of(layer.layout.cell, projected=bool(layer.proj_size)))


def is_weight_map(context: QueryContext, answer: WeightMap) -> bool:
    """Whether a map of a parameter has the size of the parameter, shared out as was wanted."""
    values, layout = answer.values, context.selected.layout
    is_map = np.issubdtype(values.dtype, np.floating) and values.ndim == 2
    if not is_map or context.arguments["symbol"] not in layout.cell.blocks:
        return False
    room = context.arguments["columns"], context.arguments["rows"]
    fits = all(count <= max(1, most) for count, most in zip(values.shape, room, strict=True))
    return fits and values.size > 0 and min(answer.units_per_row, answer.inputs_per_column) > 0

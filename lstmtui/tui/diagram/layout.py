"""The picture of a cell for a size: the roomiest form that fits, else the smallest."""

from __future__ import annotations

from functools import lru_cache

from lstmtui.cells.dataflow import Node
from lstmtui.tui.diagram.columns import Columns, Graph
from lstmtui.tui.diagram.drawing import Drawing, Form, Painter
from lstmtui.tui.diagram.placement import Placement
from lstmtui.tui.diagram.routing import NoRoute, Wires

FORMS = (
    Form(stacked=False, edge_values="beside", tracks=2, margin=2),
    Form(stacked=False, edge_values="beside", tracks=1, margin=0),
    Form(stacked=True, edge_values="beside", tracks=1, margin=2),
    Form(stacked=True, edge_values="below", tracks=1, margin=0),
)
"""From the roomiest to the smallest."""
SPREADS = ((0, 0), (1, 0), (0, 1), (1, 1), (2, 1), (2, 2), (3, 3))
"""Extra rows, and extra columns for wires, that are tried in turn."""


@lru_cache(maxsize=64)
def drawing_for(
    nodes: tuple[Node, ...], states: tuple[str, ...], width: int, height: int, index_width: int, ascii: bool
) -> Drawing | None:
    """The picture of a cell; larger than the size where no form of it is small enough.

    None where its operations read so many others that no place is left for the wires.

    Args:
        nodes: of the cell.
        states: of the cell.
        width: columns that there are.
        height: rows that there are.
        index_width: characters of the index of a timestep.
        ascii: nothing but ASCII.
    """
    every = (_drawn(nodes, states, form, index_width, ascii) for form in FORMS)
    drawings = [drawing for drawing in every if drawing is not None]
    fitting = [d for d in drawings if d.width <= width and d.height <= height]
    narrow = [d for d in drawings if d.width <= width]
    return next(iter(fitting or narrow or drawings[-1:]), None)


@lru_cache(maxsize=64)
def _drawn(
    nodes: tuple[Node, ...], states: tuple[str, ...], form: Form, index_width: int, ascii: bool
) -> Drawing | None:
    graph = Graph(nodes, states)
    for gap, tracks in SPREADS:
        placement = Placement(graph, Columns(graph), form.stacked, gap, tracks=form.tracks + tracks)
        try:
            wires = Wires(placement)
        except NoRoute:
            continue
        return Painter(placement, wires, form, index_width, ascii=ascii).drawing()
    return None

"""The parameters of a layer by the symbols of its equations, as expressions index them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lstmtui.analysis.term_values import parameter_block
from lstmtui.arrays import Array
from lstmtui.cells import Cell
from lstmtui.cells.arithmetic import dense

Shape = tuple[int, ...]


def shapes_by_symbol(cell: Cell, shapes: Mapping[str, Shape]) -> dict[str, Shape]:
    """The shapes of the parameters that a layer has, by their symbols; a matrix has two axes.

    Args:
        cell: of the layer.
        shapes: of what the layer holds, by base name: {"weight_ih": (4, 2)}.
    """
    by_symbol = {}
    for symbol, blocks in cell.blocks.items():
        there = [block for block in blocks if block.parameter.name in shapes]
        if there:
            whole = shapes[there[0].parameter.name]
            by_symbol[symbol] = _as_matrix((whole[0] // there[0].count, *whole[1:])) if whole else (1,)
    return by_symbol


def parameter_numbers(symbol: str, cell: Cell, parameters: Mapping[str, Array], why: str) -> Array:
    """What a symbol stands for, in float64: two biases added, a matrix of diagonal blocks with its zeros.

    Raises:
        UserError: the trace does not hold the parameter; `why` says why.
    """
    block = parameter_block(symbol, cell, parameters, "expressions", why)
    return np.atleast_1d(dense(block))


def _as_matrix(shape: Shape) -> Shape:
    return shape if len(shape) < 3 else (shape[0] * shape[1], shape[0] * shape[2])

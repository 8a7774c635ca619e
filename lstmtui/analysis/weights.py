"""The parameters of a layer and the gradients by them, as maps of units × what they read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lstmtui.analysis.term_values import parameter_block, why_missing
from lstmtui.analysis.windows import binned
from lstmtui.arrays import Array
from lstmtui.cells.arithmetic import dense
from lstmtui.errors import UserError
from lstmtui.view.query import query
from lstmtui.view.view import View


@dataclass(frozen=True, eq=False)
class WeightMap:
    """A parameter, or the gradient by it, where too many units or inputs share rows and columns."""

    values: Array
    """(columns, rows): `units_per_row` units share a row, `inputs_per_column` of what they read a column."""
    units_per_row: int
    inputs_per_column: int


@query(picture=True)
def weight_map(view: View, symbol: str, rows: int, columns: int, is_gradient: bool = False) -> WeightMap:
    """A parameter of the selected layer and direction; a row or column shows the value furthest from 0.

    Args:
        view: whose cursor says which layer.
        symbol: as in the equations: W_f, R_f, b_f. Two biases that are added are one.
        rows: as many as there is room for.
        columns: as many as there is room for.
        is_gradient: ∂L by the parameter instead.

    Raises:
        UserError: the trace does not hold it.
    """
    values = _numbers(view, symbol, is_gradient=is_gradient)
    values = values.reshape(len(values), -1)
    units, inputs = -(-values.shape[0] // max(1, rows)), -(-values.shape[1] // max(1, columns))
    by_row = binned(values.T, units, "extreme")
    return WeightMap(binned(by_row.T, inputs, "extreme").T, units, inputs)


@query()
def weight_limit(view: View, symbols: tuple[str, ...], is_gradient: bool = False) -> float:
    """The end of the colour scale of some parameters: three times their root mean square, or the largest.

    Raises:
        UserError: the trace does not hold one of them.
    """
    sizes, squares, most = 0, 0.0, 0.0
    for symbol in symbols:
        values = _numbers(view, symbol, is_gradient=is_gradient)
        finite = np.abs(values[np.isfinite(values)])
        sizes, squares = sizes + finite.size, squares + float(np.square(finite).sum())
        most = max(most, float(finite.max(initial=0.0)))
    return min(most, 3 * float(np.sqrt(squares / max(1, sizes)))) or 1.0


def _numbers(view: View, symbol: str, *, is_gradient: bool) -> Array:
    trace, place = view.trace, view.cursor
    if symbol not in view.cell.blocks:
        raise UserError(f"{symbol}: {view.layer.cell} has no such parameter")
    if not is_gradient:
        parameters = trace.layer_parameters(place.layer, place.direction, 0)
        why = why_missing(trace, place.layer)
        return np.asarray(dense(parameter_block(symbol, view.cell, parameters, "maps", why)))
    # Of two parameters that are added, the gradient by each is that by their sum.
    block = view.cell.blocks[symbol][0]
    gradients = _gradients(view)
    if block.parameter.name not in gradients:
        why = trace.absent(place.layer) or "not in this trace"
        raise UserError(f"∂L by {symbol}: {why}")
    return np.asarray(dense(block.of(gradients[block.parameter.name])), np.float64)


def _gradients(view: View) -> Mapping[str, Array]:
    """∂L by the parameters of the layer, by base name."""
    names = view.layer.parameters.get(view.cursor.direction, {})
    keys = {base: "parameter_gradients/" + name for base, name in names.items()}
    return {base: view.trace.arrays[key] for base, key in keys.items() if key in view.trace.arrays}

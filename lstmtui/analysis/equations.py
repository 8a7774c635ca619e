"""The equations of the timestep under the cursor, with its numbers."""

from __future__ import annotations

import numpy as np

from lstmtui.arrays import Array
from lstmtui.cells.formula import Equation, Operands, equations
from lstmtui.cells.notation import UNICODE, Notation
from lstmtui.cells.products import Products, products
from lstmtui.trace import Trace
from lstmtui.trace.keys import array_key
from lstmtui.trace.lengths import lengths_of
from lstmtui.view.query import query
from lstmtui.view.view import View


@query("t", "unit")
def equations_at(view: View, notation: Notation = UNICODE) -> tuple[Equation, ...]:
    """Every stage of the timestep at the cursor, for the selected unit, in order of evaluation.

    The equation of h is left out for a unit beyond the projection's size; all are, past the end of a layer
    that has fewer timesteps than the run. The states before are those the timestep really began from, also
    where the model's own loop changed them in between. Code that was recorded has no equations: `source_at`
    has its lines.
    """
    operands = _operands(view)
    if operands is None:
        return ()
    written = equations(view.cell, operands, notation)
    return tuple(e for e in written if _has(view.layer.size(e.quantity), view.cursor.unit))


@query("t", "unit")
def products_at(view: View, notation: Notation = UNICODE, most: int = 12) -> tuple[Products, ...]:
    """What the products W·x and R·h of the timestep are sums of, for the selected unit, the largest first.

    Args:
        view: whose cursor says where.
        notation: Unicode or ASCII.
        most: so many addends of each product are listed.
    """
    operands = _operands(view)
    if operands is None:
        return ()
    every = products(view.cell, operands, most, notation)
    return tuple(p for p in every if _has(view.layer.size(p.quantity), view.cursor.unit))


def _operands(view: View) -> Operands | None:
    """What the equations at the cursor read; None in recorded code, and past the end of the layer."""
    cursor = view.cursor
    if view.layer.source is not None or cursor.t >= int(lengths_of(view.trace, cursor.layer)[cursor.batch]):
        return None
    return operands_at(view.trace, cursor.layer, cursor.direction, cursor.batch, cursor.unit, cursor.t)


def _has(size: int, unit: int) -> bool:
    """Whether a quantity of so many units says something of a unit: one number does of all."""
    return unit < size or size == 1


def operands_at(trace: Trace, layer: int, direction: str, batch: int, unit: int, t: int) -> Operands:
    """What the equations of one timestep of one sequence read, and what they gave."""
    cell = trace.cell(layer)

    def at(quantity: str, t: int) -> Array:
        vector: Array = trace.values(quantity, layer, direction)[t, batch]
        return vector

    states = {state: state_before(trace, layer, direction, batch, state, t) for state in cell.states}
    return Operands(
        t=t,
        previous=timestep_before(t, direction),
        unit=unit,
        x=at("x", t),
        states=states,
        recorded={q: at(q, t) for q in cell.quantities},
        parameters=trace.layer_parameters(layer, direction, t),
    )


def timestep_before(t: int, direction: str) -> int:
    """The timestep whose states the timestep t begins with."""
    return t + (1 if direction == "backward" else -1)


def state_before(trace: Trace, layer: int, direction: str, batch: int, state: str, t: int) -> Array:
    """A state as the timestep t of one sequence has read it, (units,)."""
    previous = timestep_before(t, direction)
    if not 0 <= previous < int(lengths_of(trace, layer)[batch]):
        return np.asarray(trace.initial(state, layer, direction)[batch])
    before = trace.arrays.get(array_key("before/" + state, layer, direction))
    values = trace.values(state, layer, direction)[previous] if before is None else before[t]
    return np.asarray(values[batch])

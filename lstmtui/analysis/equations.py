"""The equations of the timestep under the cursor, with its numbers."""

from __future__ import annotations

from lstmtui.arrays import Array
from lstmtui.cells.formula import Equation, Operands, equations
from lstmtui.cells.notation import UNICODE, Notation
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
    where the model's own loop changed them in between.
    """
    cursor = view.cursor
    if cursor.t >= int(lengths_of(view.trace, cursor.layer)[cursor.batch]):
        return ()
    place = (cursor.layer, cursor.direction, cursor.batch)
    operands = operands_at(view.trace, *place, cursor.unit, cursor.t)
    written = equations(view.cell, operands, notation)
    return tuple(e for e in written if cursor.unit < view.layer.size(e.quantity))


def operands_at(trace: Trace, layer: int, direction: str, batch: int, unit: int, t: int) -> Operands:
    """What the equations of one timestep of one sequence read, and what they gave."""
    cell = trace.cell(layer)

    def at(quantity: str, t: int) -> Array:
        vector: Array = trace.values(quantity, layer, direction)[t, batch]
        return vector

    previous = t + (1 if direction == "backward" else -1)
    before_start = not 0 <= previous < int(lengths_of(trace, layer)[batch])
    states = {}
    for state in cell.states:
        before = trace.arrays.get(array_key("before/" + state, layer, direction))
        if before_start:
            states[state] = trace.initial(state, layer, direction)[batch]
        else:
            states[state] = at(state, previous) if before is None else before[t, batch]
    return Operands(
        t=t,
        previous=previous,
        unit=unit,
        x=at("x", t),
        states=states,
        recorded={q: at(q, t) for q in cell.quantities},
        parameters=trace.layer_parameters(layer, direction),
    )

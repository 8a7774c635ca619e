"""The equations of the timestep under the cursor, with its numbers."""

from __future__ import annotations

from lstmtui.cells.formula import Equation, Operands, equations
from lstmtui.cells.notation import UNICODE, Notation
from lstmtui.session.session import Session
from lstmtui.trace.trace import Array


def equations_at(session: Session, notation: Notation = UNICODE) -> tuple[Equation, ...]:
    """Every stage of the timestep at the cursor, for the selected unit, in order of evaluation.

    The equation of h is left out for a unit beyond the projection's size.
    """
    cursor, trace = session.cursor, session.trace
    place = (cursor.layer, cursor.direction)

    def at(quantity: str, t: int) -> Array:
        vector: Array = trace.values(quantity, *place)[t, cursor.batch]
        return vector

    previous = cursor.t + (1 if cursor.direction == "backward" else -1)
    before_start = previous < 0 or previous > session.last_t
    states = {
        s: trace.initial(s, *place)[cursor.batch] if before_start else at(s, previous)
        for s in session.cell.states
    }
    operands = Operands(
        t=cursor.t,
        previous=previous,
        unit=cursor.unit,
        x=at("x", cursor.t),
        states=states,
        recorded={q: at(q, cursor.t) for q in session.cell.quantities},
        parameters=trace.layer_parameters(*place),
    )
    written = equations(session.cell, operands, notation)
    return tuple(e for e in written if cursor.unit < session.layer.size(e.quantity))

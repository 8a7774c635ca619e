"""The question why a number is what it is, as a session asks it; what is left out is what is selected."""

from __future__ import annotations

from lstmtui.analysis.why.answer import why
from lstmtui.analysis.why.ledger import Ledger, Place
from lstmtui.analysis.why.remains import Remains, where
from lstmtui.cells.notation import Notation
from lstmtui.errors import UserError
from lstmtui.session.hiding import hidden_text
from lstmtui.session.session import Session
from lstmtui.session.what_if_checks import unit_by_axes

Unit = int | tuple[int, ...] | None
"""One unit, or its number along each axis; None: the selected one."""


def ask_why(session: Session, quantity: str | None, unit: Unit, notation: Notation) -> Ledger:
    """What a number is made of at the cursor.

    Args:
        session: where it stands.
        quantity: what is asked about; None: what the selected equation or line gave, or at a whole timestep
            the memory of the layer.
        unit: which unit of it.
        notation: Unicode or ASCII.

    Raises:
        UserError: there is no such number, it is hidden, or nothing was recorded that it could be made of.
    """
    stage = session.cursor.stage
    name = quantity or (session.cell.memory if stage is None else session.cell.stages[stage])
    if not name:
        raise UserError("this code has no state; name a quantity, as in why out[3]")
    ledger = why(session.view, name, session.cursor.t, unit_of(session, name, unit), notation=notation)
    if hidden := hidden_text(session, quantities_of(ledger)):
        raise UserError(hidden)
    return ledger


def ask_where(session: Session, quantity: str | None, unit: Unit) -> Remains:
    """What became of what the timestep at the cursor wrote to a state, asked as in `ask_why`."""
    name = quantity or session.cell.memory
    if not name:
        raise UserError("this code has no state")
    if hidden := hidden_text(session, [name]):
        raise UserError(hidden)
    return where(session.view, name, session.cursor.t, unit_of(session, name, unit))


def commands_to(place: Place) -> tuple[str, ...]:
    """The commands that go to a number and ask about it."""
    name = place.quantity.rpartition(" ")[2]
    where = f"layer {place.layer} {place.direction} batch {place.batch}"
    # A channel of x is no unit of the layer; one that there is not would be refused.
    selects = () if name in ("loss", "x", "y", "dx", "dy") else (f"unit {place.unit}",)
    return (" ".join((where, *selects)), f"goto {place.t}", f"why {place.name}")


def unit_of(session: Session, quantity: str, unit: Unit) -> int:
    """The number of a unit of what is asked about.

    Raises:
        UserError: there is no such quantity, or it has no such unit.
    """
    name = quantity.rpartition(" ")[2]
    if name == "loss":
        return 0
    layer, trace = session.layer, session.trace
    is_output = name in ("y", "dy") and name.removeprefix("d") not in layer.quantities
    if is_output and name not in trace.arrays:
        raise UserError(f"{name}: not in this trace; {trace.absent(session.cursor.layer)}".rstrip("; "))
    shape = (trace.arrays[name].shape[-1],) if is_output else layer.shape(name) or (layer.size(name),)
    size = 1
    for length in shape:
        size *= length
    if not size:
        raise UserError(f"{name}: this layer has {', '.join(layer.quantities)}")
    return min(session.cursor.unit, size - 1) if unit is None else unit_by_axes(unit, name, shape)


def quantities_of(ledger: Ledger) -> frozenset[str]:
    """The quantities whose values a ledger shows; the input never gives anything away."""
    places: list[Place | None] = [ledger.asked, *(part.leads_to for part in ledger.parts)]
    names = {place.quantity.rpartition(" ")[2] for place in places if place is not None}
    return frozenset(names - {"x"})

"""Tests an explanation: runs the model again without one part of a number."""

from __future__ import annotations

from dataclasses import replace
from math import isnan

from lstmtui.analysis.why.ledger import Ledger, Part, Place
from lstmtui.cells.notation import UNICODE, plain
from lstmtui.errors import UserError
from lstmtui.session.asking_why import Unit, ask_why
from lstmtui.session.language.command import Change
from lstmtui.session.session import Session
from lstmtui.session.what_ifs import WhatIfs


def ablate(session: Session, quantity: str | None, unit: Unit, number: int) -> str:
    """Run the selected model without one part of a number, and say what the number then is.

    What a timestep wrote is undone; an input or a unit that a sum reads is set to 0.

    Args:
        session: where it stands.
        quantity: what is asked about; None: as in `ask_why`.
        unit: which unit of it.
        number: which part, counted from 1, the largest first.

    Raises:
        UserError: there is no such part, it cannot be taken out, or the model cannot be run again.
    """
    if session.what_ifs is None:
        raise UserError("this session cannot run models again: it shows saved traces without their models")
    ledger = ask_why(session, quantity, unit, UNICODE)
    if not 0 < number <= len(ledger.parts):
        raise UserError(f"there is no part {number}: of {ledger.asked.name} {len(ledger.parts)} are listed")
    part = ledger.parts[number - 1]
    place, value = _removal(ledger, part)
    change = _run_without(session, session.what_ifs, place, value)
    after = ask_why(session, quantity, unit, UNICODE).value
    return f"without {part.text}: {change}; {_comparison(ledger, part, after)}"


def _removal(ledger: Ledger, part: Part) -> tuple[Place, float]:
    """The change that takes a part out: what to set, and to which value.

    Raises:
        UserError: nothing that can be set takes it out.
    """
    lead = part.leads_to
    if ledger.kind != "sum" or lead is None or part.stays:
        raise UserError(f"{part.text} cannot be taken out of {ledger.asked.name}: ask about it first")
    word, _, name = lead.quantity.rpartition(" ")
    if part.without is not None:
        return replace(lead, quantity=name), part.without
    if ledger.asked.quantity in ("loss", "dy") or word or name.startswith("d"):
        raise UserError(f"{ledger.asked.name}: only what the model computes can be taken out, no derivative")
    return lead, 0.0


def _run_without(session: Session, what_ifs: WhatIfs, place: Place, value: float) -> str:
    cursor = replace(
        session.cursor, layer=place.layer, direction=place.direction, batch=place.batch, t=place.t
    )
    return what_ifs.set(cursor, Change(place.quantity, place.unit, value, place.t, place.t))


def _comparison(ledger: Ledger, part: Part, after: float) -> str:
    """What became of the number, and what would have become of it had everything else stayed as it was."""
    asked, alone = ledger.asked, ledger.total - part.value
    text = f"{asked.name} at t={asked.t} is {plain(after)}, was {plain(ledger.value)}"
    if isnan(alone) or ledger.of != asked.name:
        return text
    return f"{text}; with everything else as it was it would be {plain(alone)}"

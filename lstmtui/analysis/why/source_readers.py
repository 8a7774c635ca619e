"""A derivative of recorded code: the lines that have read the variable, with what came back to each."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lstmtui.analysis.line_operands import LineOperand, LinePlace, operands_at, unit_text
from lstmtui.analysis.stage_values import is_bound, values_at
from lstmtui.analysis.statements import NO_TEXT
from lstmtui.analysis.why.carried_from import carried_from
from lstmtui.analysis.why.ledger import Factor, Ledger, Part, Place
from lstmtui.analysis.why.summands import ledger_of
from lstmtui.arrays import norm
from lstmtui.errors import UserError
from lstmtui.trace import Trace
from lstmtui.trace.source import Source, Variable

_NOTE = "how much of each comes back here is not recorded: of lines of code only whole derivatives are"
_NOBODY = (
    "no line of the timesteps recorded has read it by name: the loss reads it, or code that was not recorded"
)


def readers_ledger(trace: Trace, asked: Place, source: Source, variable: Variable) -> Ledger:
    """The derivatives by what the lines gave that have read a variable, from which its own came.

    Raises:
        UserError: the variable has no derivative there, with why.
    """
    if values_at(trace, asked.layer, variable.name, asked.t) is None:
        raise UserError(f"{variable.name}: the round t={asked.t} does not bind it")
    values = values_at(trace, asked.layer, asked.quantity, asked.t)
    if values is None:
        why = variable.absent or trace.absent(asked.layer, variable.name) or f"the round t={asked.t} has none"
        raise UserError(f"{asked.quantity}: no gradient: {why}")
    value = float(values[asked.batch, asked.unit])
    parts = list(_readers(trace, asked, source, variable))
    if not parts:
        is_known = all(function.text for function in source.functions)
        text = _NOBODY if is_known else f"which line has read it is not known: {NO_TEXT}"
        return ledger_of(asked, value, [Part(text, value, t=asked.t)], kind="origin")
    return ledger_of(
        asked,
        value,
        parts,
        kind="operands",
        equation=f"lines that read {variable.written}, and the derivatives by what they gave",
        of=unit_text(asked.quantity, variable, asked.unit),
        notes=(_NOTE,),
    )


def _readers(trace: Trace, asked: Place, source: Source, variable: Variable) -> Iterator[Part]:
    for t in range(asked.t, min(asked.t + 2, trace.steps)):
        for number, stage in enumerate(source.stages):
            result = source.variable(stage.variable)
            if result is None or not is_bound(trace, asked.layer, source, number, t):
                continue
            place = LinePlace(trace, asked.layer, source, result, number, t, asked.batch, asked.unit)
            if not any(_is_read(operand, trace, asked, source, variable) for operand in operands_at(place)):
                continue
            derivative = values_at(trace, asked.layer, "d" + result.name, t, stage.inner_step)
            if derivative is not None:
                yield _part(place, np.asarray(derivative[asked.batch]), asked, variable)


def _is_read(operand: LineOperand, trace: Trace, asked: Place, source: Source, variable: Variable) -> bool:
    """Whether what a line has read is the number that is asked about."""
    if operand.variable.name == variable.name and operand.t == asked.t:
        return True
    if operand.variable.name not in variable.carried_to or operand.t != asked.t + 1:
        return False
    before = carried_from(trace, asked.at(operand.variable.name, operand.t), source, operand.variable)
    return before is not None and before.quantity == variable.name


def _part(place: LinePlace, derivative: np.ndarray, asked: Place, variable: Variable) -> Part:
    """By the unit that stands beside the one asked about, or else the norm, and its largest unit."""
    result, when = place.variable, "" if place.t == asked.t else f" at t={place.t}"
    where = f"(line {place.binding.line}{when})"
    if result.shape == variable.shape or result.size == 1:
        unit = 0 if result.size == 1 else asked.unit
        text, value = unit_text(f"d{result.name}", result, unit), float(derivative[unit])
        factors: tuple[Factor, ...] = ()
    else:
        unit = int(np.where(np.isfinite(derivative), np.abs(derivative), np.inf).argmax())
        text, value = f"‖d{result.name}‖", float(norm(derivative))
        factors = (Factor(unit_text(f"d{result.name}", result, unit), float(derivative[unit])),)
    return Part(f"{text} {where}", value, factors, place.t, asked.at(f"d{result.name}", place.t, unit))

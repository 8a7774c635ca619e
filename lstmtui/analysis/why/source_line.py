"""A variable of recorded code: the names that its line has read, each with the line that bound it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

import numpy as np

from lstmtui.analysis.line_operands import LineOperand, LinePlace, operands_at, unit_text
from lstmtui.analysis.stage_values import is_bound, values_at
from lstmtui.analysis.statements import NO_TEXT
from lstmtui.analysis.why.carried_from import carried_from
from lstmtui.analysis.why.handed_from import handed_from
from lstmtui.analysis.why.ledger import SET, Factor, Ledger, Part, Place
from lstmtui.analysis.why.source_readers import readers_ledger
from lstmtui.analysis.why.summands import ledger_of
from lstmtui.arrays import norm
from lstmtui.cells.notation import Notation
from lstmtui.errors import UserError
from lstmtui.trace import Trace
from lstmtui.trace.source import Source


def source_ledger(trace: Trace, asked: Place, notation: Notation) -> Ledger:
    """What the line that bound a variable has read.

    Of a derivative, the lines that have read the variable.

    Raises:
        UserError: the round does not bind it, or it has no derivative.
    """
    source = trace.layers[asked.layer].source
    assert source is not None
    variable = source.variable(asked.quantity)
    if variable is None:
        derived = source.variable(asked.quantity.removeprefix("d"))
        if derived is None or not asked.quantity.startswith("d"):
            raise UserError(
                f"{asked.quantity}: of recorded code `why` knows its variables and their derivatives"
            )
        return readers_ledger(trace, asked, source, derived)
    copied = carried_from(trace, asked, source, variable)
    if copied is not None:
        return source_ledger(trace, copied, notation)
    values = values_at(trace, asked.layer, variable.name, asked.t)
    if values is None:
        raise UserError(f"{asked.quantity}: the round t={asked.t} does not bind it")
    value = float(values[asked.batch, asked.unit])
    numbers = [
        number
        for number, stage in enumerate(source.stages)
        if stage.variable == variable.name and is_bound(trace, asked.layer, source, number, asked.t)
    ]
    if _is_set(trace, asked):
        return ledger_of(asked, value, [Part(SET, value, t=asked.t)], kind="origin")
    if not numbers:
        part = Part("an argument of the call", value, t=asked.t)
        return ledger_of(asked, value, [part], kind="origin")
    number = _computed_at(numbers, source)
    place = LinePlace(trace, asked.layer, source, variable, number, asked.t, asked.batch, asked.unit)
    function = source.functions[place.binding.function]
    if not place.binding.line:
        handed = handed_from(asked, place)
        if handed is not None:
            return source_ledger(trace, handed, notation)
        part = Part(f"an argument of {function.name}", value, t=asked.t)
        return ledger_of(asked, value, [part], kind="origin")
    if not place.statement.text:
        part = Part(f"what its line has read is not known: {NO_TEXT}", value, t=asked.t)
        return ledger_of(asked, value, [part], kind="origin")
    parts = [_part(operand, place, source, asked) for operand in operands_at(place)]
    return ledger_of(
        asked,
        value,
        parts,
        kind="operands" if parts else "origin",
        equation=f"{function.name}:{place.binding.line}  {place.statement.text}",
        of=unit_text(variable.name, variable, asked.unit),
    )


def _computed_at(numbers: Sequence[int], source: Source) -> int:
    """The stage of the line that computed what a variable was bound to last: of the innermost function.

    Args:
        numbers: of the stages of the variable to which the round comes, in order.
        source: whose they are.
    """
    returned = takewhile(source.returns.__contains__, reversed(numbers[:-1]))
    return [numbers[-1], *returned][-1]


def _part(operand: LineOperand, place: LinePlace, source: Source, asked: Place) -> Part:
    """A name that the line has read; of other units than the asked one its norm, and its largest unit."""
    variable, beside = operand.variable, operand.value_beside(place)
    if beside is not None:
        unit = 0 if variable.size == 1 else asked.unit
        text, value = unit_text(operand.written, variable, unit), beside
        factors: tuple[Factor, ...] = ()
    else:
        sizes = np.where(np.isfinite(operand.values), np.abs(operand.values), np.inf)
        unit = int(sizes.argmax()) if len(sizes) else 0
        text, value = f"‖{operand.written}‖", float(norm(operand.values))
        largest = unit_text(operand.written, variable, unit)
        factors = (Factor(largest, float(operand.values[unit])),) if len(sizes) else ()
    stage = None if operand.stage is None else source.stages[operand.stage]
    line = f"line {stage.line}" if stage is not None and stage.line else "an argument"
    when = "" if operand.t == asked.t else f" at t={operand.t}"
    leads_to = asked.at(variable.name, operand.t, unit)
    copied = carried_from(place.trace, leads_to, source, variable)
    return Part(f"{text} ({line}{when})", value, factors, operand.t, copied or leads_to)


def _is_set(trace: Trace, asked: Place) -> bool:
    return any(
        edit.quantity == asked.quantity
        and (edit.layer, edit.batch) == (asked.layer, asked.batch)
        and edit.sets(asked.t, asked.unit)
        for edit in trace.header.edits
    )

"""The first NaN or inf of recorded code in a sentence: file, line and text, the place, and the operands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePath

import numpy as np

from lstmtui.analysis.first_bad.bindings import first_bad_binding
from lstmtui.analysis.first_bad.finite_operands import parameter_that_is_not, why_not_finite
from lstmtui.analysis.first_bad.values import BadValue
from lstmtui.analysis.line_operands import LinePlace, operand_text, operands_at, unit_text
from lstmtui.analysis.stage_values import is_bound, values_at
from lstmtui.analysis.statements import NO_TEXT, statement_at
from lstmtui.arrays import Array
from lstmtui.cells.notation import UNICODE
from lstmtui.printable import printable
from lstmtui.trace import Trace
from lstmtui.trace.source import Source, Stage, Variable

_number = UNICODE.number


def bad_line(trace: Trace, source: Source, bad: BadValue) -> tuple[str, str]:
    """The line that bound a bad value, and what the line had read, each as a sentence without a full stop."""
    assert bad.layer is not None
    variable = _variable(source, bad.quantity)
    where = _where(trace, source, variable, bad)
    if bad.stage is None or not variable.line:
        function = source.functions[variable.function]
        return f"{_file(source, variable.function)}: {where}", f"{printable(function.name)} was given it"
    place = LinePlace(trace, bad.layer, source, variable, bad.stage, bad.t, bad.batch, bad.unit)
    return f"{_line_text(place)}: {where}", _operands(place) + _then_nan(trace, source, bad)


def bad_derivative_line(trace: Trace, source: Source, bad: BadValue) -> tuple[str, str]:
    """The line through which a derivative that is bad came back, and what the line had read."""
    assert bad.layer is not None
    variable = _variable(source, bad.quantity[1:])
    where = _where(trace, source, variable, bad)
    readers = list(_readers(trace, source, variable, bad))
    for place in readers:
        names = _names_of_derivatives(place)
        broken = [text for text, value in names if not np.isfinite(value)]
        operands = [o for o in operands_at(place) if not np.isfinite(o.values).all()]
        if broken or operands or place is readers[-1]:
            behind = ", ".join(f"{text} is {_number(value)}" for text, value in names)
            how = ", ".join(part for part in (behind, _operands(place)) if part)
            if not (broken or operands) and (parameter := parameter_that_is_not(trace)):
                how = f"{how}: {parameter}"
            return f"{_line_text(place)}: {where}", how
    if not all(function.text for function in source.functions):
        return (
            f"{_place_of(source, variable, bad)}: {where}",
            f"{NO_TEXT}, so which line read it is not known",
        )
    here = f"{_place_of(source, variable, bad)}: {_text(source, variable, bad)}{where}"
    is_known = trace.header.loss_is_known and not np.isfinite(trace.loss)
    loss = f", which is {_number(trace.loss)}" if is_known else ""
    behind = "it comes from what is returned, up to the loss"
    return here, f"no name bound after it was made of it: {behind}{loss}"


def read_of_its_line(trace: Trace, source: Source, bad: BadValue) -> BadValue:
    """Of bad derivatives by what one line binds at once, that by a name which a later line reads.

    A cell binds h and c together and makes h of c within, so that what comes back to h comes to c behind it,
    also where no line reads c.
    """
    if bad.stage is None:
        return bad
    if any(map(_may_spoil, _readers(trace, source, _variable(source, bad.quantity[1:]), bad))):
        return bad
    assert bad.layer is not None
    stages = source.stages
    for number in range(bad.stage - 1, -1, -1):
        if replace(stages[number], variable=stages[bad.stage].variable) != stages[bad.stage]:
            break
        variable = _variable(source, stages[number].variable)
        place = LinePlace(trace, bad.layer, source, variable, number, bad.t, bad.batch, bad.unit)
        values = _derivative(place)
        if values is None or np.isfinite(values).all():
            continue
        unit = int((~np.isfinite(values)).argmax())
        quantity, value = "d" + variable.name, float(values[unit])
        other = bad._replace(quantity=quantity, unit=unit, value=value, stage=number)
        if any(map(_may_spoil, _readers(trace, source, variable, other))):
            return other
    return bad


def _may_spoil(place: LinePlace) -> bool:
    """Whether a bad derivative may come back through a line: of zeros it is only by operands that are bad."""
    derivative = _derivative(place)
    comes = derivative is not None and bool((derivative != 0).any())
    return comes or any(not np.isfinite(operand.values).all() for operand in operands_at(place))


def _then_nan(trace: Trace, source: Source, bad: BadValue) -> str:
    """Where an inf became NaN, as a sentence behind its own; empty where it did not."""
    if np.isnan(bad.value):
        return ""
    assert bad.layer is not None
    binding = first_bad_binding(trace, bad.layer, source, batch=bad.batch, is_bad=np.isnan)
    if binding is None:
        return ""
    where, how = bad_line(trace, source, BadValue(bad.layer, bad.direction, *binding))
    return f". The first NaN of it: {where}; {how}"


def _variable(source: Source, name: str) -> Variable:
    variable = source.variable(name)
    assert variable is not None
    return variable


def _where(trace: Trace, source: Source, variable: Variable, bad: BadValue) -> str:
    """ "c[3] of sequence 1 is NaN at t=37"."""
    layer = f" in layer {bad.layer}" if len(trace.layers) > 1 else ""
    inner = -1 if bad.stage is None else source.stages[bad.stage].inner_step
    step = f", inner step {inner}" if inner >= 0 else ""
    unit = unit_text(bad.quantity, variable, bad.unit)
    return f"{unit} of sequence {bad.batch}{layer} is {_number(bad.value)} at t={bad.t}{step}"


def _line_text(place: LinePlace) -> str:
    """ "my_cell.py:88: c = f * c_prev + i * g"."""
    file = _file(place.source, place.binding.function)
    text = place.statement.text
    return f"{file}:{place.binding.line}: {text}" if text else f"{file}:{place.binding.line}"


def _bound_at(source: Source, variable: Variable, bad: BadValue) -> Variable | Stage:
    """What says at which line of which function a variable was bound in the round of a bad value."""
    return variable if bad.stage is None else source.stages[bad.stage]


def _text(source: Source, variable: Variable, bad: BadValue) -> str:
    at = _bound_at(source, variable, bad)
    text = statement_at(source.functions[at.function], at.line).text if at.line else ""
    return f"{text}: " if text else ""


def _place_of(source: Source, variable: Variable, bad: BadValue) -> str:
    """ "my_cell.py:88"."""
    at = _bound_at(source, variable, bad)
    return f"{_file(source, at.function)}:{at.line}" if at.line else _file(source, at.function)


def _file(source: Source, function: int) -> str:
    return printable(PurePath(source.functions[function].file).name)


def _operands(place: LinePlace) -> str:
    """What a line had read; where all of it is finite, why its result need not be."""
    operands = list(operands_at(place))
    if not place.statement.text:
        return f"{NO_TEXT}, so what it read is not known"
    if not operands:
        own = place.variable
        before = [v.name for v in place.source.variables if own.name in v.carried_to and v is not own]
        is_carried = before and place.t
        return f"it is {before[0]} of t={place.t - 1}" if is_carried else "it reads no name that was recorded"
    text = ", ".join(operand_text(operand, place) for operand in operands)
    values = values_at(place.trace, place.layer, place.variable.name, place.t, place.binding.inner_step)
    result = 0.0 if values is None else float(values[place.batch, place.unit])
    if not np.isfinite(result) and all(np.isfinite(operand.values).all() for operand in operands):
        return f"{text}: {why_not_finite(place.trace, place.statement.text, result)}"
    return text


def _readers(trace: Trace, source: Source, variable: Variable, bad: BadValue) -> Iterator[LinePlace]:
    """The bindings of a round that read a variable, from the one that ran last.

    Each stands at the unit of the derivative where its own variable has such units, else at the first that
    is bad. Those by which there is no derivative are left out: none came back through them.
    """
    assert bad.layer is not None
    start = -1 if bad.stage is None else bad.stage
    for number in range(len(source.stages) - 1, start, -1):
        stage = source.stages[number]
        if not is_bound(trace, bad.layer, source, number, bad.t):
            continue
        own = _variable(source, stage.variable)
        place = LinePlace(trace, bad.layer, source, own, number, bad.t, bad.batch, bad.unit)
        derivative = _derivative(place)
        if derivative is None:
            continue
        if own.shape != variable.shape:
            place = replace(place, unit=int((~np.isfinite(derivative)).argmax()))
        if any(o.variable is variable and o.t == bad.t and o.stage == bad.stage for o in operands_at(place)):
            yield place


def _names_of_derivatives(place: LinePlace) -> list[tuple[str, float]]:
    """The derivative by what a line has bound, at the unit of the place: its chain rule begins with that."""
    values = _derivative(place)
    if values is None:
        return []
    return [(unit_text("d" + place.variable.name, place.variable, place.unit), float(values[place.unit]))]


def _derivative(place: LinePlace) -> Array | None:
    """The derivative by what a line has bound, (units,); None where there is none."""
    name = "d" + place.variable.name
    values = values_at(place.trace, place.layer, name, place.t, place.binding.inner_step)
    return None if values is None else np.asarray(values[place.batch])

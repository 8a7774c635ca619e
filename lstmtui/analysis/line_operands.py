"""What a line of recorded code has read: each name with its value at one unit, and since when it is bad."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import isfinite

import numpy as np

from lstmtui.analysis.stage_values import is_bound, values_at
from lstmtui.analysis.statements import Statement, statement_at
from lstmtui.arrays import Array, norm
from lstmtui.cells.notation import UNICODE
from lstmtui.trace import Trace
from lstmtui.trace.order import order_of
from lstmtui.trace.source import Source, Stage, Variable

_number = UNICODE.number


@dataclass(frozen=True)
class LinePlace:
    """A unit of a variable at one binding of one round."""

    trace: Trace
    layer: int
    source: Source
    variable: Variable
    stage: int
    """Its number among the source's stages."""
    t: int
    batch: int
    unit: int

    @property
    def binding(self) -> Stage:
        """The stage."""
        return self.source.stages[self.stage]

    @property
    def statement(self) -> Statement:
        """What was executed."""
        return statement_at(self.source.functions[self.binding.function], self.binding.line)


@dataclass(frozen=True, eq=False)
class LineOperand:
    """A name that a line reads."""

    written: str
    variable: Variable
    stage: int | None
    """Which stage had bound it; None for an argument."""
    t: int
    """The round that had bound it."""
    values: Array
    """(units,)"""

    def is_beside(self, variable: Variable) -> bool:
        """Whether its units stand beside those of another one, unit by unit."""
        return self.variable.shape == variable.shape or self.variable.size == 1

    def value_beside(self, place: LinePlace) -> float | None:
        """The value that stands beside the unit of a place; None where its units are others."""
        if not self.is_beside(place.variable):
            return None
        return float(self.values[0 if self.variable.size == 1 else place.unit])


def operands_at(place: LinePlace) -> Iterator[LineOperand]:
    """What the line of a place has read, as far as it was recorded, in its own order."""
    for written in place.statement.names:
        read = _read(place, written)
        if read is not None:
            yield read


def operand_text(operand: LineOperand, place: LinePlace) -> str:
    """ "f is 0.41", "c_prev is +inf (since t=36, line 88)", "‖gates‖ is 3.2", "gates[7] is NaN"."""
    name, value = operand.written, operand.value_beside(place)
    if value is not None:
        since = "" if isfinite(value) else _since(operand, place)
        return f"{name} is {_number(value)}{since}"
    bad = ~np.isfinite(operand.values)
    if bad.any():
        at = int(bad.argmax())
        return f"{unit_text(operand.written, operand.variable, at)} is {_number(float(operand.values[at]))}"
    return f"‖{name}‖ is {_number(float(norm(operand.values)))}"


def unit_text(name: str, variable: Variable, unit: int) -> str:
    """A unit as the language writes it: c[3], S[1, 0, 2]; the name alone where it has one number."""
    if not variable.shape:
        return name
    return f"{name}[{', '.join(str(int(at)) for at in np.unravel_index(unit, variable.shape))}]"


def candidates(source: Source, written: str, function: int) -> tuple[Variable, ...]:
    """The variables that a name of a function may stand for; those of self belong to all functions."""
    return tuple(
        variable
        for variable in source.variables
        if variable.written == written and (written.startswith("self.") or variable.function == function)
    )


def _read(place: LinePlace, written: str) -> LineOperand | None:
    """What a name stood for: what was bound to it last before this line, in this round or the one before."""
    source, binding, begins = place.source, place.binding, _begins(place)
    named = {variable.name: variable for variable in candidates(source, written, binding.function)}
    binding_it = [
        n for n, own in enumerate(source.stages) if own.variable in named and n not in source.returns
    ]
    before = [n for n in reversed(binding_it) if n < begins]
    after = [n for n in reversed(binding_it) if n >= begins]
    staged = {stage.variable for stage in source.stages}
    arguments = [variable for name, variable in named.items() if name not in staged]
    order = order_of(place.trace, place.layer)
    for t, numbers in ((place.t, before), (place.t - 1, after)):
        for number in numbers if t >= 0 else []:
            stage = source.stages[number]
            if order is not None and order[number, t] >= order[place.stage, place.t]:
                continue  # as of what is bound for all timesteps at once, which has no round before
            if is_bound(place.trace, place.layer, source, number, t):
                values = values_at(place.trace, place.layer, stage.variable, t, stage.inner_step)
                if values is not None:
                    return LineOperand(written, named[stage.variable], number, t, values[place.batch])
        if arguments and t == place.t:
            values = values_at(place.trace, place.layer, arguments[0].name, t)
            if values is not None:
                return LineOperand(written, arguments[0], None, t, values[place.batch])
    return None


def _begins(place: LinePlace) -> int:
    """The first of the stages that one line binds at once, as `h, c = cell(x, (h, c))` does two."""
    stages, own, first = place.source.stages, place.binding, place.stage
    while first and replace(stages[first - 1], variable=own.variable, line=own.line) == own:
        other = stages[first - 1].line
        if other != own.line and statement_at(place.source.functions[own.function], other) != place.statement:
            break
        first -= 1
    return first


def _since(operand: LineOperand, place: LinePlace) -> str:
    """Since when an operand is not finite: along what carries it from one round to the next."""
    trace, source, layer = place.trace, place.source, place.layer
    unit = 0 if operand.variable.size == 1 else place.unit

    def is_bad(variable: Variable, t: int) -> bool:
        values = values_at(trace, layer, variable.name, t)
        return values is not None and t >= 0 and not np.isfinite(values[place.batch, unit])

    variable, t, seen = operand.variable, operand.t, {operand.variable.name}
    while t > 0:
        carrying = [v for v in source.variables if variable.name in v.carried_to and is_bad(v, t - 1)]
        if carrying:
            variable, t = carrying[0], t - 1
            seen = {variable.name}
            continue
        names = (name for name in variable.carried_to if name not in seen)
        carried = [v for name in names if (v := source.variable(name)) and is_bad(v, t)]
        if not carried:
            break
        seen.add(carried[0].name)
        variable = carried[0]
    if t == place.t:
        return ""
    own = [(n, stage) for n, stage in enumerate(source.stages) if stage.variable == variable.name]
    stages = [stage for n, stage in own if stage.line and source.comes_to(n, t)]
    near = [stage.line for stage in stages if stage.function == place.binding.function]
    line = near[0] if near else variable.line
    return f" (since t={t}, line {line})" if line else f" (since t={t})"

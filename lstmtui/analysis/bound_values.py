"""What the names of recorded code are bound to at the cursor, one place in its text after another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from lstmtui.analysis.stage_values import is_bound, values_at
from lstmtui.arrays import norm
from lstmtui.trace.source import Source, Variable
from lstmtui.view.query import query
from lstmtui.view.view import View

Status = Literal["bound", "later", "not bound"]
"""later: a stage that is still to come binds it; not bound: this round does not."""


@dataclass(frozen=True)
class Place:
    """A name at a line of the code, which one or several stages bind."""

    function: int
    line: int
    """Of the file; 0 for an argument."""
    quantity: str
    stages: tuple[int, ...]
    """Their numbers, in order; none for an argument, which is bound from the start."""


@dataclass(frozen=True)
class BoundValue:
    """The value that a name has at a place, at the unit of the cursor."""

    status: Status
    value: float | None = None
    """None where it is not bound, or has no such unit; the value of one that has one number for each
    sequence, whichever unit is selected."""
    norm: float | None = None
    """L2 of the whole vector; None where it is not bound."""


def places_of(source: Source) -> tuple[Place, ...]:
    """Every name at every line: arguments first, then in the order in which a round first comes to them."""
    stages: dict[tuple[int, int, str], list[int]] = {}
    staged = {stage.variable for stage in source.stages}
    for variable in source.variables:
        if variable.name not in staged:
            stages[variable.function, variable.line, variable.name] = []
    for number, stage in enumerate(source.stages):
        stages.setdefault((stage.function, stage.line, stage.variable), []).append(number)
    return tuple(Place(*place, tuple(numbers)) for place, numbers in stages.items())


@query("t", "unit", "stage")
def bound_values(view: View) -> tuple[BoundValue, ...]:
    """One for each of `places_of` the selected layer's code; none where it is a cell of ours.

    At a stage inside the timestep each place has what it was bound to last, as a debugger shows it; at
    whole timesteps, what it is bound to at the end.
    """
    source = view.layer.source
    if source is None or view.cursor.t > view.last_t:
        return ()
    return tuple(_at(view, source, place) for place in places_of(source))


def unit_at(variable: Variable, unit: int) -> int | None:
    """The unit of a variable that is shown for a selected one; None where it has none such."""
    return 0 if variable.size == 1 else unit if unit < variable.size else None


def _at(view: View, source: Source, place: Place) -> BoundValue:
    variable, now = source.variable(place.quantity), view.cursor.stage
    layer, t = view.cursor.layer, view.cursor.t
    assert variable is not None
    if not place.stages:
        return _value(view, variable, -1)
    reached = [n for n in place.stages if is_bound(view.trace, layer, source, n, t)]
    if not reached:
        return BoundValue("not bound")
    past = [n for n in reached if now is None or n <= now]
    return _value(view, variable, source.stages[past[-1]].inner_step) if past else BoundValue("later")


def _value(view: View, variable: Variable, inner_step: int) -> BoundValue:
    values = values_at(view.trace, view.cursor.layer, variable.name, view.cursor.t, inner_step)
    if values is None:
        return BoundValue("not bound")
    vector, unit = np.asarray(values[view.cursor.batch]), unit_at(variable, view.cursor.unit)
    return BoundValue("bound", None if unit is None else float(vector[unit]), float(norm(vector)))

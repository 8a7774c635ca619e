"""How much h of one timestep depends on the states and inputs of every earlier one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lstmtui.analysis.why.cotangents import sweep_back
from lstmtui.analysis.why.layer_numbers import LayerNumbers
from lstmtui.arrays import Array, norm
from lstmtui.errors import UserError
from lstmtui.view.query import query
from lstmtui.view.view import View

MOST_OF_ROW = 1 << 33
"""So many products of a weight are made for one row."""
_GONE = 1e-30
"""Below this part of the largest a norm counts as vanished, and the sweep ends."""


@dataclass(frozen=True, eq=False)
class JacobianRow:
    """‖∂h_t/∂·‖ (Frobenius) by what was there at each timestep s; NaN where it was not looked, or is none;
    0 where it has vanished."""

    t: int
    states: tuple[str, ...]
    """The names of the states, h first."""
    by_state: tuple[Array, ...]
    """Of each state as it was carried on from s, the others held still, (T,)."""
    by_x: Array
    """Of the input at s, (T,)."""
    first: int
    """The farthest timestep that was looked at; those beyond it have vanished or were too many."""
    has_vanished: bool
    """Whether it ended because nothing was left."""
    not_finite: int = -1
    """The nearest timestep by which a derivative is NaN or infinite; −1: none."""


@query("t")
def jacobian_row(view: View) -> JacobianRow:
    """How h of the timestep at the cursor depends on every earlier one, exactly, in float64.

    Raises:
        UserError: the layer is recorded code, or the trace does not hold its parameters.
    """
    numbers = numbers_of(view)
    at = numbers.time(min(view.cursor.t, numbers.length - 1))
    units, states = numbers.layer.size(numbers.cell.states[0]), numbers.cell.states
    by_state = {state: np.full(view.trace.steps, np.nan) for state in states}
    by_x = np.full(view.trace.steps, np.nan)
    most = max(16, MOST_OF_ROW // max(1, units * weights_of(numbers)))
    largest, first, has_vanished, not_finite = 0.0, at, False, -1
    for dependence in sweep_back(numbers, at, {at: np.eye(units)}):
        place = dependence.place
        t, earlier = numbers.time(place), numbers.time(place - 1)
        by_x[t] = 0.0 if dependence.x is None else float(norm(dependence.x.ravel()))
        sizes = {s: float(norm(v.ravel())) for s, v in dependence.before.items()}
        first = place
        if place:
            for state in states:
                by_state[state][earlier] = sizes.get(state, 0.0)
        every = np.array([*sizes.values(), 0.0])
        if not_finite < 0 and not np.isfinite(by_x[t]):
            not_finite = t
        elif not_finite < 0 and place and not np.isfinite(every).all():
            not_finite = earlier
        now = float(every.max())  # NaN where one of them is
        largest = max(largest, now) if np.isfinite(now) else largest
        has_vanished = now <= _GONE * largest
        if has_vanished or at - place + 1 >= most:
            break
    if has_vanished:
        for place in range(first):
            by_x[numbers.time(place)] = 0.0
            for state in states if place < first - 1 else ():
                by_state[state][numbers.time(place)] = 0.0
    return JacobianRow(
        view.cursor.t,
        states,
        tuple(by_state[state] for state in states),
        by_x,
        numbers.time(first),
        has_vanished and first > 0,
        not_finite,
    )


def numbers_of(view: View) -> LayerNumbers:
    """What was recorded of the selected layer, direction and sequence.

    Raises:
        UserError: the layer is recorded code.
    """
    if view.layer.source is not None:
        raise UserError(
            "the equations of recorded code are not known, so no derivative goes back through them"
        )
    cursor = view.cursor
    return LayerNumbers(view.trace, cursor.layer, cursor.direction, cursor.batch)


def weights_of(numbers: LayerNumbers) -> int:
    """How many weights of matrices a timestep has."""
    sizes = numbers.layer.layout.numbers(numbers.layer.input_size)
    return sum(int(np.prod(p.sizes(sizes))) for p in numbers.cell.parameters if p.is_matrix)

"""Time by time: how much h of a timestep depends on the states and inputs of every earlier one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lstmtui.analysis.why.cotangents import sweep_back
from lstmtui.analysis.why.layer_numbers import LayerNumbers
from lstmtui.arrays import Array, norm
from lstmtui.errors import UserError
from lstmtui.view.query import query
from lstmtui.view.view import View

MOST_OF_ROW, MOST_OF_MAP = 1 << 33, 3 << 30
"""So many products of a weight are made for one row, and for the map."""
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


@dataclass(frozen=True, eq=False)
class JacobianMap:
    """‖∂h_t/∂h_s‖ for all pairs of some timesteps."""

    start: int
    """The first timestep of the map."""
    values: Array
    """(timesteps t, timesteps s) from `start` on; NaN where s is not before t."""
    probes: int
    """How many random directions it was measured along; 0: it is exact."""

    @property
    def error(self) -> float:
        """The relative standard error of a norm, at most."""
        return 0.0 if not self.probes else float(1 / np.sqrt(2 * self.probes))


@query("t")
def jacobian_row(view: View) -> JacobianRow:
    """How h of the timestep at the cursor depends on every earlier one, exactly, in float64.

    Raises:
        UserError: the layer is recorded code, or the trace does not hold its parameters.
    """
    numbers = _numbers(view)
    at = numbers.time(min(view.cursor.t, numbers.length - 1))
    units, states = numbers.layer.size(numbers.cell.states[0]), numbers.cell.states
    by_state = {state: np.full(view.trace.steps, np.nan) for state in states}
    by_x = np.full(view.trace.steps, np.nan)
    most = max(16, MOST_OF_ROW // max(1, units * _weights(numbers)))
    largest, first, has_vanished = 0.0, at, False
    for dependence in sweep_back(numbers, at, {at: np.eye(units)}):
        place = dependence.place
        t, earlier = numbers.time(place), numbers.time(place - 1)
        by_x[t] = 0.0 if dependence.x is None else float(norm(dependence.x.ravel()))
        sizes = {s: float(norm(v.ravel())) for s, v in dependence.before.items()}
        first = place
        if place:
            for state in states:
                by_state[state][earlier] = sizes.get(state, 0.0)
        now = max(sizes.values(), default=0.0)
        largest = max(largest, now)
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
    )


@query()
def jacobian_map(view: View, start: int, stop: int, seed: int = 0) -> JacobianMap:
    """How h of each timestep of a window depends on h of each other one before it.

    Exact where that is few enough products; else measured along random directions, which are the same for
    the same seed, in float32.

    Args:
        view: the run.
        start: the first timestep.
        stop: the timestep to stop before.
        seed: of the directions.

    Raises:
        UserError: the layer is recorded code, or the trace does not hold its parameters.
    """
    numbers = _numbers(view)
    stop = min(stop, numbers.length)
    count, units = stop - start, numbers.layer.size(numbers.cell.states[0])
    places = sorted(numbers.time(t) for t in range(start, stop))
    allowed = MOST_OF_MAP // max(1, _weights(numbers) * max(1, count * count // 2))
    probes = units if allowed >= units else max(4, int(allowed))
    directions = np.eye(units) if probes == units else _directions(units, probes, seed)
    values = np.full((count, count), np.nan)
    if count < 1:
        return JacobianMap(start, values, 0)
    output = numbers.cell.states[0]
    seeds = dict.fromkeys(places, directions)
    dtype = np.float64 if probes == units and count * units <= 4096 else np.float32
    for dependence in sweep_back(numbers, places[-1], seeds, dtype, with_x=False):
        s = dependence.place - 1
        if s < places[0]:
            break
        rows = dependence.before.get(output)
        later = [p for p in reversed(places) if p > s]
        if rows is None:
            continue
        sizes = norm(rows.reshape(len(later), -1).astype(np.float64))
        for place, size in zip(later, sizes.tolist(), strict=True):
            values[numbers.time(place) - start, numbers.time(s) - start] = size
    return JacobianMap(start, values, 0 if probes == units else probes)


def _numbers(view: View) -> LayerNumbers:
    if view.layer.source is not None:
        raise UserError("of recorded code no equations are known that a derivative could go back through")
    cursor = view.cursor
    return LayerNumbers(view.trace, cursor.layer, cursor.direction, cursor.batch)


def _weights(numbers: LayerNumbers) -> int:
    """How many weights of matrices a timestep has."""
    sizes = numbers.layer.layout.numbers(numbers.layer.input_size)
    return sum(int(np.prod(p.sizes(sizes))) for p in numbers.cell.parameters if p.is_matrix)


def _directions(units: int, probes: int, seed: int) -> Array:
    """Random directions, orthogonal to one another, that have the norm of the identity together."""
    draw = np.random.default_rng(seed).normal(size=(units, probes))
    return np.asarray(np.linalg.qr(draw)[0].T * np.sqrt(units / probes))

"""Time by time: how much h of each timestep depends on a state or the input of each earlier one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lstmtui.analysis.jacobian_products import norms_of_products
from lstmtui.analysis.jacobian_row import numbers_of, weights_of
from lstmtui.analysis.why.cotangents import sweep_back
from lstmtui.analysis.why.layer_numbers import LayerNumbers
from lstmtui.arrays import Array, norm
from lstmtui.cells import Cell
from lstmtui.errors import UserError
from lstmtui.view.query import query
from lstmtui.view.view import View

MOST_EXACT = 3 << 33
"""So many products are made for an exact map: 200 timesteps of an LSTM with 64 units have 21 billion."""
MOST_PROBED = 3 << 30
"""So many products of a weight are made along random directions."""


@dataclass(frozen=True, eq=False)
class JacobianMap:
    """‖∂h_t/∂·_s‖ (Frobenius) for all pairs of some timesteps."""

    by: str
    """What the derivatives are by: a state as it was carried on from s, the others held still, or x of s."""
    start: int
    """The first timestep of the map."""
    values: Array
    """(timesteps t, timesteps s) from `start` on; NaN where s is not before t, by x where it is behind."""
    probes: int
    """How many random directions it was measured along; 0: it is exact."""

    @property
    def error(self) -> float:
        """The relative standard error of a norm, at most."""
        return 0.0 if not self.probes else float(1 / np.sqrt(2 * self.probes))


def names_of_maps(cell: Cell) -> tuple[str, ...]:
    """What there are maps by: the states, h first, and x."""
    return (*cell.states, "x")


@query()
def jacobian_map(view: View, by: str, start: int, stop: int, seed: int = 0) -> JacobianMap:
    """How h of each timestep of a window depends on what was there at each other one before it.

    Exact where that is few enough products, as for 200 timesteps of 64 units; else measured along random
    directions, which are the same for the same seed, in float32.

    Args:
        view: the run.
        by: a state of the layer, or x.
        start: the first timestep.
        stop: the timestep to stop before.
        seed: of the directions.

    Raises:
        UserError: the layer is recorded code, has no such state, or the trace does not hold its parameters.
    """
    numbers = numbers_of(view)
    states, names = numbers.cell.states, names_of_maps(numbers.cell)
    if by not in names:
        raise UserError(f"there is no map by {by}; there are {', '.join(names)}")
    stop = min(stop, numbers.length)
    count, units = stop - start, numbers.layer.size(states[0])
    if count < 1:
        return JacobianMap(by, start, np.zeros((0, 0)), 0)
    places = sorted(numbers.time(t) for t in range(start, stop))
    pairs = max(1, count * count // 2)
    carried = sum(numbers.layer.size(state) for state in states)
    if pairs * units * carried * carried <= MOST_EXACT:
        probes = 0
        values = norms_of_products(numbers, places, by)
    else:
        probes = min(units, max(4, MOST_PROBED // (weights_of(numbers) * pairs)))
        values = _along(numbers, places, by, _directions(units, probes, seed))
    return JacobianMap(by, start, values[::-1, ::-1] if numbers.is_backward else values, probes)


def _along(numbers: LayerNumbers, places: Sequence[int], by: str, directions: Array) -> Array:
    """The norms of h of all places by a state, or by x, of all places before; along directions, float32."""
    norms: Array = np.full((len(places), len(places)), np.nan)
    seeds = dict.fromkeys(places, directions)
    for dependence in sweep_back(numbers, places[-1], seeds, np.float32, with_x=by == "x"):
        first = dependence.place - places[0]
        s = first if by == "x" else first - 1
        if s < 0:
            break
        rows = dependence.x if by == "x" else dependence.before.get(by)
        # The rows of later places come first.
        norms[first:, s] = 0 if rows is None else norm(rows.reshape(len(places) - first, -1))[::-1]
    return norms


def _directions(units: int, probes: int, seed: int) -> Array:
    """Random directions, orthogonal to one another, that have the norm of the identity together."""
    draw = np.random.default_rng(seed).normal(size=(units, probes))
    return np.asarray(np.linalg.qr(draw)[0].T * np.sqrt(units / probes))

"""Time by time: how much h of each timestep depends on a state or the input of each earlier one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lstmtui.analysis.jacobian_row import numbers_of, weights_of
from lstmtui.analysis.why.cotangents import step_jacobians, sweep_back
from lstmtui.analysis.why.layer_numbers import LayerNumbers
from lstmtui.analysis.why.uses import FLUSHES, flushed
from lstmtui.arrays import Array, norm
from lstmtui.cells import Cell
from lstmtui.errors import UserError
from lstmtui.view.query import query
from lstmtui.view.view import View

MOST_EXACT = 3 << 33
"""So many products are made for an exact map: 200 timesteps of an LSTM with 64 units have 21 billion."""
MOST_PROBED = 3 << 30
"""So many products of a weight are made along random directions."""
_FINEST = 4096
"""Up to so many rows of derivatives are worked out in float64, more in float32."""


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
    directions, which are the same for the same seed. In float64 for small layers, else in float32.

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
    values = np.full((max(0, count), max(0, count)), np.nan)
    if count < 1:
        return JacobianMap(by, start, values, 0)
    places = sorted(numbers.time(t) for t in range(start, stop))
    pairs = max(1, count * count // 2)
    carried = sum(numbers.layer.size(state) for state in states)
    probes = 0
    if pairs * units * carried * carried <= MOST_EXACT:
        columns = _exact(numbers, places, by, np.float64 if count * units <= _FINEST else np.float32)
    else:
        probes = min(units, max(4, MOST_PROBED // (weights_of(numbers) * pairs)))
        columns = _along(numbers, places, by, _directions(units, probes, seed))
    for place, sizes in columns:
        rows = [numbers.time(p) - start for p in reversed(places[len(places) - len(sizes) :])]
        values[rows, numbers.time(place) - start] = sizes
    return JacobianMap(by, start, values, probes)


def _exact(numbers: LayerNumbers, places: Sequence[int], by: str, dtype: type) -> Iterator[tuple[int, Array]]:
    """By place, the norms of each later one's derivative, the last place first; by products of Jacobians."""
    states = numbers.cell.states
    sizes = [numbers.layer.size(state) for state in states]
    units, count = sizes[0], sum(sizes)
    at = states.index(by) if by != "x" else 0
    block = slice(sum(sizes[:at]), sum(sizes[: at + 1]))
    after: Array = np.zeros((len(places) * units, count), dtype)
    before = np.zeros_like(after)
    vanished = 0  # Of so many of the latest places nothing is left.
    for number, step in enumerate(step_jacobians(numbers, places[-1], dtype)):
        rows = slice(vanished * units, (number + 1) * units)
        after[number * units : rows.stop] = np.eye(units, count)
        with np.errstate(all="ignore"):
            if by == "x":
                yield step.place, _norms(after[rows] @ step.by_x, units, vanished)
            if step.place == places[0]:
                return
            np.matmul(after[rows], step.by_before, out=before[rows])
            if by != "x":
                yield step.place - 1, _norms(before[rows, block], units, vanished)
            before[rows, ~step.carried] = 0
            if number % FLUSHES == 0:
                before[rows] = flushed(before[rows])
                while vanished <= number and not before[vanished * units : (vanished + 1) * units].any():
                    vanished += 1
        after, before = before, after


def _along(
    numbers: LayerNumbers, places: Sequence[int], by: str, directions: Array
) -> Iterator[tuple[int, Array]]:
    """By place, the norms of each later one's derivative, the last place first; along directions, float32."""
    seeds = dict.fromkeys(places, directions)
    for dependence in sweep_back(numbers, places[-1], seeds, np.float32, with_x=by == "x"):
        place = dependence.place if by == "x" else dependence.place - 1
        if place < places[0]:
            return
        rows = dependence.x if by == "x" else dependence.before.get(by)
        later = places[-1] - dependence.place + 1
        yield place, np.zeros(later) if rows is None else _norms(rows, len(directions))


def _norms(rows: Array, each: int, vanished: int = 0) -> Array:
    """The norm of each group of rows, in float64, behind zeros for groups that have vanished."""
    blocks = rows.reshape(-1, each, rows.shape[-1])
    if rows.dtype == np.float32:  # whose squares float64 has
        sizes = np.sqrt(np.einsum("ijk,ijk->i", blocks, blocks, dtype=np.float64))
    else:
        sizes = norm(blocks.reshape(len(blocks), -1))
    return np.concatenate([np.zeros(vanished), sizes])


def _directions(units: int, probes: int, seed: int) -> Array:
    """Random directions, orthogonal to one another, that have the norm of the identity together."""
    draw = np.random.default_rng(seed).normal(size=(units, probes))
    return np.asarray(np.linalg.qr(draw)[0].T * np.sqrt(units / probes))

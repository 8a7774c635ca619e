"""Where two runs part: the first timestep, layer, quantity and unit that differ by more than a tolerance."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lstmtui.analysis.time_blocks import growing_blocks
from lstmtui.arrays import Array
from lstmtui.cells.notation import UNICODE
from lstmtui.errors import UserError
from lstmtui.trace import Trace


@dataclass(frozen=True)
class Divergence:
    """The first place where two runs differ."""

    t: int
    """The timestep; −1 for an initial state."""
    layer: int | None
    """None for y, which no layer owns."""
    direction: str
    quantity: str
    unit: int
    batch: int
    a: float
    b: float

    def __str__(self) -> str:
        where = "at the end" if self.layer is None else f"in layer {self.layer} {self.direction}"
        when = "before the first timestep" if self.t < 0 else f"at t={self.t}"
        values = " against ".join(UNICODE.number(value, 8) for value in (self.a, self.b))
        return (
            f"they first differ {when}, {where}: {self.quantity}[{self.unit}] of sequence {self.batch} "
            f"is {values}"
        )


class _Pair(NamedTuple):
    """One quantity of both runs, (T, B, units)."""

    layer: int | None
    direction: str
    quantity: str
    a: Array
    b: Array


def first_divergence(
    a: Trace, b: Trace, tolerance: float = 1e-6, within: Array | None = None
) -> Divergence | None:
    """The first place where two runs of the same sizes differ, or None.

    Two numbers differ where |a − b| > tolerance · max(1, |a|, |b|): absolute up to 1, relative beyond.
    NaN differs from every number and inf from every other one; NaN is equal to NaN, inf to inf.

    Places are ordered by t, then layer, direction, quantity in order of evaluation, unit and sequence;
    the initial states come before t = 0 and y after the last layer. Compared are the layers,
    directions, quantities and timesteps that both have, and x and y where they are equally wide.
    Derivatives are not: they come from later timesteps, and would differ from the start.

    Recorded code may have changed in between: of its names those are compared that both runs have, with as
    many units.

    Args:
        a: one run.
        b: the other.
        tolerance: 0 or more.
        within: int (B,), how many timesteps of each sequence are compared; 0 leaves one out. Left out: as
            many as both have.

    Raises:
        UserError: T, B or the size of a layer is not the same in both, or the tolerance is negative.
    """
    if not (tolerance >= 0 and math.isfinite(tolerance)):
        raise UserError(f"tolerance {tolerance}: must be a number that is 0 or more")
    _check_fit(a, b)
    for start in _initial_pairs(a, b):
        position = _first_in(start, 0, 1, tolerance, within)
        if position:
            return _described(start, position, t=-1)
    return _first_of_run(a, b, tolerance, within)


def _first_of_run(a: Trace, b: Trace, tolerance: float, within: Array | None) -> Divergence | None:
    """Read both runs in blocks of timesteps, and stop in the first block that differs."""
    pairs = list(_pairs(a, b))
    lengths = np.minimum(a.lengths, b.lengths) if (a.lengths != b.lengths).any() else None
    if within is not None:
        lengths = within if lengths is None else np.minimum(lengths, within)
    widest = max((math.prod(pair.a.shape[1:]) for pair in pairs), default=1)
    for start, end in growing_blocks(a.steps, widest):
        stop, nearest = end, None
        for pair in pairs:
            position = _first_in(pair, start, stop, tolerance, lengths)
            if position:
                # A later quantity comes first only at an earlier timestep.
                nearest, stop = _described(pair, position, position[0]), position[0]
        if nearest:
            return nearest
    return None


def _check_fit(a: Trace, b: Trace) -> None:
    """Refuse runs whose sizes differ, as their units cannot be matched."""
    sizes = [("timesteps", a.steps, b.steps), ("sequences", a.batch, b.batch)]
    for index, (layer, other_layer) in enumerate(zip(a.layers, b.layers, strict=False)):
        if layer.source is not None or other_layer.source is not None:
            if not set(layer.quantities) & set(other_layer.quantities):
                raise UserError(f"the two runs cannot be compared: layer {index} has no name in both")
            continue
        sizes.append((f"units in layer {index}", layer.hidden_size, other_layer.hidden_size))
        sizes.append((f"units of h in layer {index}", layer.size("h"), other_layer.size("h")))
    for what, size, other_size in sizes:
        if size != other_size:
            raise UserError(f"the two runs cannot be compared: one has {size} {what}, the other {other_size}")


def _pairs(a: Trace, b: Trace) -> Iterator[_Pair]:
    """Every quantity that both have, in order of evaluation."""
    for index, (layer_a, layer_b) in enumerate(zip(a.layers, b.layers, strict=False)):
        for direction in (d for d in layer_a.directions if d in layer_b.directions):
            for quantity in layer_a.quantities:
                if quantity in layer_b.quantities:
                    place = (quantity, index, direction)
                    yield _Pair(index, direction, quantity, a.values(*place), b.values(*place))
    if "y" in a.arrays and "y" in b.arrays:
        yield _Pair(None, "", "y", a.values("y"), b.values("y"))


def _initial_pairs(a: Trace, b: Trace) -> Iterator[_Pair]:
    """The states that both start from, as runs of one timestep."""
    for index, (layer_a, layer_b) in enumerate(zip(a.layers, b.layers, strict=False)):
        for direction in (d for d in layer_a.directions if d in layer_b.directions):
            both = set(a.initial_states(index, direction)) & set(b.initial_states(index, direction))
            for state in (s for s in a.cell(index).states if s in both):
                values = (trace.initial(state, index, direction)[None] for trace in (a, b))
                yield _Pair(index, direction, state, *values)


def _first_in(
    pair: _Pair, start: int, stop: int, tolerance: float, lengths: Array | None
) -> tuple[int, int, int] | None:
    """(t, unit, sequence) of the first difference from `start` to before `stop`."""
    if pair.a is pair.b or pair.a.shape != pair.b.shape:
        return None
    a, b = np.asarray(pair.a[start:stop]), np.asarray(pair.b[start:stop])
    unequal = a != b
    if not unequal.any():
        return None
    with np.errstate(all="ignore"):
        # In the run's own precision, to leave few numbers for the exact rule.
        unequal &= ~(np.abs(a - b) <= tolerance / 2)
    if lengths is not None:
        unequal &= (np.arange(start, stop)[:, None] < lengths)[..., None]
    unequal[unequal] = _differ(a[unequal], b[unequal], tolerance)
    times = unequal.any(axis=(1, 2))
    if not times.any():
        return None
    first = int(times.argmax())
    unit, batch = np.unravel_index(unequal[first].T.argmax(), unequal.shape[:0:-1])
    return start + first, int(unit), int(batch)


def _differ(a: Array, b: Array, tolerance: float) -> Array:
    """Where numbers that are not equal differ by more than the tolerance; two NaN do not."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    with np.errstate(all="ignore"):
        apart = np.abs(a - b) > tolerance * np.maximum(1.0, np.maximum(np.abs(a), np.abs(b)))
    finite = np.isfinite(a) & np.isfinite(b)
    return np.asarray(np.where(finite, apart, ~(np.isnan(a) & np.isnan(b))))


def _described(pair: _Pair, position: tuple[int, int, int], t: int) -> Divergence:
    at, unit, batch = position
    a, b = (float(values[at, batch, unit]) for values in (pair.a, pair.b))
    return Divergence(t, pair.layer, pair.direction, pair.quantity, unit, batch, a, b)

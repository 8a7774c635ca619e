"""The first bad value of some quantities over time, searched a block of timesteps at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from lstmtui.analysis.time_blocks import growing_blocks
from lstmtui.arrays import Array

Which = Literal["forward", "backward"]
"""The pass: the run itself, or the derivatives back through it."""

IsBad: TypeAlias = Callable[[Array], Array]
"""Which values are bad, as an array of truths."""


class Timed(NamedTuple):
    """A quantity over time, (T, B, units)."""

    quantity: str
    values: Array


def is_not_finite(values: Array) -> Array:
    """NaN and inf."""
    return ~np.isfinite(values)


def first_over_time(
    quantities: Sequence[Timed],
    is_reversed: bool,
    lengths: Array | None,
    batch: int | None,
    is_bad: IsBad = is_not_finite,
) -> tuple[Timed, int, int, int] | None:
    """(quantity, t, unit, sequence) of the first bad value, a block of timesteps at a time.

    Args:
        quantities: in the order in which a timestep computes them.
        is_reversed: whether time is walked from the end.
        lengths: the timesteps of each sequence; None: all of them.
        batch: one sequence alone; None: all of them.
        is_bad: which values are.
    """
    steps = max((len(timed.values) for timed in quantities), default=0)
    widest = max((math.prod(timed.values.shape[1:]) for timed in quantities), default=1)
    for start, end in growing_blocks(steps, widest):
        stop, nearest = end, None
        for timed in quantities:
            block = range(steps - stop, steps - start) if is_reversed else range(start, stop)
            position = _first_in_block(timed.values, block, is_reversed, lengths, batch, is_bad)
            if position:
                # A later quantity comes first only at an earlier timestep.
                nearest = (timed, *position)
                stop = steps - 1 - position[0] if is_reversed else position[0]
        if nearest:
            return nearest
    return None


def _first_in_block(
    values: Array, block: range, is_reversed: bool, lengths: Array | None, batch: int | None, is_bad: IsBad
) -> tuple[int, int, int] | None:
    """(t, unit, sequence) of the first bad value of one quantity."""
    chosen = slice(None) if batch is None else slice(batch, batch + 1)
    read = np.asarray(values[block.start : block.stop, chosen])
    with np.errstate(all="ignore"):
        if not read.size or np.isfinite(read.sum()):  # a sum over what is not finite is not finite
            return None
    bad = is_bad(read)
    if lengths is not None:
        bad &= (np.arange(block.start, block.stop)[:, None] < lengths[chosen])[..., None]
    times = np.flatnonzero(bad.any(axis=(1, 2)))
    if not times.size:
        return None
    first = int(times[-1 if is_reversed else 0])
    unit, sequence = np.unravel_index(bad[first].T.argmax(), bad.shape[:0:-1])
    return block.start + first, int(unit), int(sequence) + (batch or 0)

"""A run, read a block of timesteps at a time: what every verdict is computed from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from lstmtui.analysis.time_blocks import LARGEST_BLOCK
from lstmtui.arrays import Array
from lstmtui.trace import Trace
from lstmtui.trace.keys import array_key
from lstmtui.trace.lengths import lengths_of


class TimeBlock(NamedTuple):
    """Some timesteps of all sequences, without what lies past the end of a shorter one, or is not bound."""

    age: Array
    """(rows,): how many timesteps of the sequence came before, in the layer's own time."""
    length: Array
    """(rows,): how many timesteps the row's sequence has."""
    values: tuple[Array, ...]
    """(rows, units) for each quantity."""


def blocks_of(trace: Trace, layer: int, direction: str, names: Sequence[str]) -> Iterator[TimeBlock]:
    """Quantities of a layer and direction, as rows of one timestep of one sequence each."""
    arrays = [trace.values(name, layer, direction) for name in names]
    lengths = lengths_of(trace, layer)
    keys = (array_key("bound/" + name, layer, direction) for name in names)
    bound = [np.asarray(trace.arrays[key]) for key in keys if key in trace.arrays]
    size = max(1, LARGEST_BLOCK // max(1, trace.batch * max(a.shape[-1] for a in arrays)))
    for start in range(0, trace.steps, size):
        times = np.arange(start, min(start + size, trace.steps))[:, None]
        valid = times < lengths
        for own in bound:
            valid = valid & own[times]
        age = lengths - 1 - times if direction == "backward" else np.broadcast_to(times, valid.shape)
        read = (np.asarray(array[start : start + size]) for array in arrays)
        rows = tuple(v.reshape(-1, v.shape[-1]) if valid.all() else v[valid] for v in read)
        yield TimeBlock(age[valid], np.broadcast_to(lengths, valid.shape)[valid], rows)


def largest_of(
    trace: Trace, layer: int, direction: str, names: Sequence[str], function: Callable[..., Array]
) -> Array:
    """The largest |function of some quantities| of each unit over the whole run, (units,)."""
    largest: Array | None = None
    with np.errstate(all="ignore"):
        for block in blocks_of(trace, layer, direction, names):
            block_largest = np.abs(function(*block.values)).max(axis=0, initial=0.0)
            largest = block_largest if largest is None else np.maximum(largest, block_largest)
    return np.zeros(0) if largest is None else largest

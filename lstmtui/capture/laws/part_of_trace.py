"""One sequence of a recorded run, or a stretch of it, as a run of its own that can be compared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lstmtui.arrays import Array
from lstmtui.trace import Trace
from lstmtui.trace.keys import array_key


def part_of(trace: Trace, sequence: int, start: int, stop: int, *, with_initial: bool = True) -> Trace:
    """The values of one sequence from one timestep to before another; nothing that is derived.

    Args:
        trace: the whole run.
        sequence: which of the batch.
        start: the first timestep.
        stop: the one after the last.
        with_initial: whether to keep the states it begins from; else they are 0.
    """
    arrays: dict[str, Array] = {}
    for number, layer in enumerate(trace.layers):
        for direction in layer.directions:
            for quantity in ("x", *trace.cell(number).quantities):
                key = array_key(quantity, number, direction)
                arrays[key] = np.array(trace.arrays[key][start:stop, sequence : sequence + 1])
            for state in trace.cell(number).states:
                key = array_key("initial/" + state, number, direction)
                initial = np.array(trace.arrays[key][sequence : sequence + 1])
                arrays[key] = initial if with_initial else np.zeros_like(initial)
    if "y" in trace.arrays:
        arrays["y"] = np.array(trace.arrays["y"][start:stop, sequence : sequence + 1])
    return Trace(replace(trace.header, steps=stop - start, batch=1), arrays)

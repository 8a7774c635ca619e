"""Which layers of a run read which: stacks, in which each layer reads the h of the one before."""

from __future__ import annotations

import re

import numpy as np

from lstmtui.arrays import Array
from lstmtui.trace import Trace

_NUMBERED = re.compile(r"(.*?)(\d+)")
_LOOKED_AT = 16
"""Timesteps at which the input of a layer is held against the h of another."""


def stacks(trace: Trace) -> tuple[tuple[int, ...], ...]:
    """The stacks of a run, each from the lowest layer up; a layer by itself is none."""
    result: list[list[int]] = []
    for layer in range(len(trace.layers)):
        if layer and _reads(trace, layer, layer - 1):
            result[-1].append(layer)
        else:
            result.append([layer])
    return tuple(tuple(stack) for stack in result if len(stack) > 1)


def outputs(trace: Trace, layer: int, times: Array) -> Array:
    """h of all directions at some timesteps, (times, B, units)."""
    directions = trace.layers[layer].directions
    return np.concatenate([trace.values("h", layer, d)[times] for d in directions], axis=-1)


def _reads(trace: Trace, upper: int, lower: int) -> bool:
    """Whether a layer reads what the other one returns: by their places in a module, or by its values."""
    above, below = trace.layers[upper], trace.layers[lower]
    if above.source is not None or below.source is not None:
        return False
    if above.path == below.path:
        return above.index == below.index + 1
    if above.input_size != below.layout.output_size * len(below.directions):
        return False
    times = np.unique(np.linspace(0, trace.steps - 1, _LOOKED_AT).astype(int))
    x = np.asarray(trace.values("x", upper)[times])
    if np.array_equal(x, outputs(trace, lower, times)):
        return True
    names = [_NUMBERED.fullmatch(path) for path in (above.path, below.path)]
    a, b = names
    if a is None or b is None or a[1] != b[1] or int(a[2]) != int(b[2]) + 1:
        return False
    # Numbered layers beside each other, such as the towers of an ensemble, are given the same.
    return not np.array_equal(x, trace.values("x", lower)[times])

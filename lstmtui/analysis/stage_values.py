"""The values of recorded code at one round: what each binding gave, and whether there was one."""

from __future__ import annotations

import numpy as np

from lstmtui.arrays import Array
from lstmtui.trace import Trace
from lstmtui.trace.keys import array_key
from lstmtui.trace.source import Source

DIRECTION = "forward"
"""The direction of every layer of recorded code."""


def is_bound(trace: Trace, layer: int, source: Source, number: int, t: int) -> bool:
    """Whether the round t comes to the stage of this number."""
    if not source.comes_to(number, t):
        return False
    stage = source.stages[number]
    bound = trace.arrays.get(array_key("bound/" + stage.variable, layer, DIRECTION))
    if bound is not None and not bound[t]:
        return False
    count = trace.arrays.get(array_key("inner_count/" + stage.variable, layer, DIRECTION))
    return stage.inner_step < 0 or count is None or stage.inner_step < int(count[t])


def values_at(trace: Trace, layer: int, name: str, t: int, inner_step: int = -1) -> Array | None:
    """A variable or `d` + its name at a round, (B, units); None where the round has none.

    Args:
        trace: the run.
        layer: of recorded code.
        name: of the variable, or of the derivative by it.
        t: the round.
        inner_step: which of the variable's inner steps; −1: the last value.
    """
    inner = trace.arrays.get(array_key("inner/" + name, layer, DIRECTION)) if inner_step >= 0 else None
    if inner is not None:
        return np.asarray(inner[t, inner_step]) if inner_step < inner.shape[1] else None
    bound = trace.arrays.get(array_key("bound/" + name, layer, DIRECTION))
    if bound is not None and not bound[t]:
        return None
    if inner_step >= 0 and inner_step != _last_inner_step(trace, layer, name, t):
        return None
    values = trace.arrays.get(array_key(name, layer, DIRECTION))
    return None if values is None else np.asarray(values[t])


def _last_inner_step(trace: Trace, layer: int, name: str, t: int) -> int:
    """The inner step whose derivative is all that there is: the last one of the round."""
    variable = name.removeprefix("d")
    count = trace.arrays.get(array_key("inner_count/" + variable, layer, DIRECTION))
    inner = trace.arrays.get(array_key("inner/" + variable, layer, DIRECTION))
    return -1 if inner is None else inner.shape[1] - 1 if count is None else int(count[t]) - 1

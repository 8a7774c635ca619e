"""The first timestep where a condition holds, over a long trace."""

from __future__ import annotations

import numpy as np

from lstmtui.expressions.bound import all_bound
from lstmtui.expressions.evaluation import evaluate
from lstmtui.expressions.nodes import Node
from lstmtui.expressions.operations import truth
from lstmtui.expressions.scope import Scope

SMALLEST_BLOCK = 256
LARGEST_BLOCK = 16_384
VALUES_OF_A_BLOCK = 1 << 14
"""A block of one quantity has at most so many values: larger arrays are allocated anew each time, from the
operating system, which costs several times what is computed on them."""


def first_hit(node: Node, scope: Scope, ts: range, units: int) -> int | None:
    """The first of `ts` where a scalar node is true.

    Args:
        node: a scalar.
        scope: what it is evaluated on.
        ts: timesteps inside the sequence, ascending or descending.
        units: of the widest quantity that is read.
    """
    largest = max(1, min(LARGEST_BLOCK, VALUES_OF_A_BLOCK // max(1, units * abs(ts.step))))
    start, size = 0, min(SMALLEST_BLOCK, largest)
    while start < len(ts):
        block = ts[start : start + size]
        hits = np.flatnonzero(holds(node, scope, block))
        if hits.size:
            return block[int(hits[0])]
        start, size = start + size, min(2 * size, largest)
    return None


def holds(node: Node, scope: Scope, ts: range) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Whether a scalar node is true at each of `ts`, shape (timesteps,), in the order of `ts`.

    It is not where code has not bound a name that it reads.
    """
    ascending = ts if ts.step > 0 else ts[::-1]
    truths = np.broadcast_to(truth(evaluate(node, scope, ascending)), (len(ts), 1))[:, 0]
    truths = truths & all_bound(node, scope, ascending)
    return truths if ts.step > 0 else truths[::-1]

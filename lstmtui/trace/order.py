"""The order in which the layers of a run were computed, where that is not layer by layer."""

from __future__ import annotations

import numpy as np

from lstmtui.arrays import Array
from lstmtui.trace.keys import order_key
from lstmtui.trace.trace import Trace

NEVER = -1
"""Where a layer has no such timestep, or does not come to a stage in it."""


def order_of(trace: Trace, layer: int) -> Array | None:
    """When a layer was computed: numbers that rise from what ran first in the run to what ran last.

    (T,) of the calls that the timesteps come from, the same for those of one call; of recorded code
    (stages, T), of each binding. `NEVER` where there is none. None where the trace has no such order: every
    layer was through with all of its timesteps before the next began, or the trace was written before this
    was recorded.
    """
    order = trace.arrays.get(order_key(layer))
    return None if order is None or not np.issubdtype(order.dtype, np.signedinteger) else np.asarray(order)

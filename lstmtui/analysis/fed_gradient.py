"""The gradient that a layer's states get from above, apart from what comes back through time."""

from __future__ import annotations

import numpy as np

from lstmtui.arrays import Array
from lstmtui.errors import UserError
from lstmtui.trace import Trace
from lstmtui.trace.keys import array_key


def fed_gradient(trace: Trace, layer: int, direction: str) -> Array:
    """The L2 norm of what is fed to the states from above at each timestep, (T, B), in float64.

    From above is whatever reads a state outside of the layer's own recurrence: the loss, a head, the layer
    above.

    Raises:
        UserError: that was not recorded; or the layer is recorded code, of which it is not known.
    """
    recorded = trace.arrays.get(array_key("reads", layer, direction))
    if recorded is not None:
        return np.asarray(recorded)
    if trace.layers[layer].source is not None:
        raise UserError(
            "the equations of recorded code are not known, so the recurrence cannot be told from the rest"
        )
    states = [s for s in trace.cell(layer).states if "d" + s in trace.quantities(layer)]
    if not states or any(trace.norms("d" + state, layer, direction).any() for state in states):
        raise UserError("where the loss reads this layer was not recorded")
    return np.zeros((trace.steps, trace.batch))

"""What the panels need of a whole run, computed before the screen opens instead of while it is drawn."""

from __future__ import annotations

import numpy as np

from lstmtui.trace import Trace, Traces


def prepare(traces: Trace | Traces) -> None:
    """Work out the norms of the states' derivatives and the states' extents, which a trace then keeps.

    Nothing is done for a trace whose arrays are not in this process: it is prepared where they are.
    """
    for trace in [traces] if isinstance(traces, Trace) else traces.values():
        if isinstance(trace.values(trace.layers[0].quantities[0]), np.ndarray):
            _prepare(trace)


def _prepare(trace: Trace) -> None:
    for index, layer in enumerate(trace.layers):
        for direction in layer.directions:
            for state in trace.cell(index).states:
                if "d" + state in trace.quantities(index):
                    trace.norms("d" + state, index, direction)
                trace.extent(state, index, direction)

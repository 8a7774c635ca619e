"""By which state the gradient's way back is followed."""

from __future__ import annotations

import numpy as np

from lstmtui.trace import Trace
from lstmtui.trace.lengths import lengths_of


def followed_state(trace: Trace, layer: int, direction: str) -> str:
    """The memory of the cell; empty where nothing is carried from one timestep to the next.

    Which of the states of recorded code remembers is not known: it is that whose gradient reaches furthest.
    """
    cell = trace.cell(layer)
    states = with_derivatives(trace, layer)
    if trace.layers[layer].source is None or not states:
        return cell.memory
    far = slice(0, max(1, int(lengths_of(trace, layer).max()) // 10))

    def left(state: str) -> float:
        norms = trace.norms("d" + state, layer, direction)
        with np.errstate(all="ignore"):
            return float(np.nan_to_num(np.divide(norms[far].max(), norms.max())))

    return max(states, key=left)


def with_derivatives(trace: Trace, layer: int) -> tuple[str, ...]:
    """The states by which there are derivatives."""
    recorded = trace.quantities(layer)
    return tuple(state for state in trace.cell(layer).states if "d" + state in recorded)

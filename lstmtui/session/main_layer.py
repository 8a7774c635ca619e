"""The layer of a trace that a session begins at."""

from __future__ import annotations

from lstmtui.trace import Trace
from lstmtui.trace.lengths import lengths_of


def main_layer(trace: Trace) -> int:
    """The first layer; where all are code of the user's, the recurrence with the most timesteps and names.

    That is the cell, not the model that calls it in a loop, nor a loop over stacked layers.
    """
    if any(layer.source is None for layer in trace.layers):
        return 0

    def weight(number: int) -> tuple[bool, int, int]:
        source = trace.layers[number].source
        assert source is not None
        steps = int(lengths_of(trace, number).max(initial=0))
        return bool(source.states), steps, len(source.states) + len(source.variables)

    return max(range(len(trace.layers)), key=weight, default=0)

"""What the layers of a run compute, in the order of its evaluation layer by layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from lstmtui.analysis.first_bad.in_blocks import Timed, Which
from lstmtui.trace import Trace


class Evaluated(NamedTuple):
    """Quantities of one layer and direction, which each timestep computes in this order."""

    layer: int | None
    """None for y and dy, which no layer owns."""
    direction: str
    quantities: Sequence[Timed] = ()
    """None of recorded code, whose order is that of its lines."""
    is_reversed: bool = False
    """Whether time is walked from the end."""
    is_initial: bool = False
    """Whether they are initial states, as runs of one timestep."""


def evaluated(trace: Trace, which: Which) -> Iterator[Evaluated]:
    """All that one pass through a run computes."""
    return _forward(trace) if which == "forward" else _backward(trace)


def _forward(trace: Trace) -> Iterator[Evaluated]:
    for index, layer in enumerate(trace.layers):
        cell = trace.cell(index)
        for direction in layer.directions:
            if layer.source is not None:
                yield Evaluated(index, direction)
                continue
            before = [s for s in trace.initial_states(index, direction) if s in cell.states]
            states = [Timed(s, trace.initial(s, index, direction)[None]) for s in before]
            yield Evaluated(index, direction, states, is_initial=True)
            names = [q for q in layer.quantities if q in trace.quantities(index)]
            timed = [Timed(q, trace.values(q, index, direction)) for q in names]
            yield Evaluated(index, direction, timed, direction == "backward")
    if "y" in trace.arrays:
        yield Evaluated(None, "", [Timed("y", trace.arrays["y"])])


def _backward(trace: Trace) -> Iterator[Evaluated]:
    if "dy" in trace.arrays:
        yield Evaluated(None, "", [Timed("dy", trace.arrays["dy"])], is_reversed=True)
    for index in reversed(range(len(trace.layers))):
        cell, recorded = trace.cell(index), trace.quantities(index)
        directions = trace.layers[index].directions
        for direction in reversed(directions):
            if trace.layers[index].source is not None:
                yield Evaluated(index, direction)
                continue
            names = ["d" + q for q in reversed(cell.quantities) if "d" + q in recorded]
            timed = [Timed(q, trace.values(q, index, direction)) for q in names]
            yield Evaluated(index, direction, timed, direction == "forward")
            if names:
                every = trace.initial_states(index, direction)
                before = ["d" + state for state in cell.states if "d" + state in every]
                initial = [Timed(name, trace.initial(name, index, direction)[None]) for name in before]
                yield Evaluated(index, direction, initial, is_initial=True)
        if "dx" in recorded and trace.layers[index].source is None:
            # The same array for both directions: what both give back.
            timed = [Timed("dx", trace.values("dx", index, directions[0]))]
            yield Evaluated(index, directions[0], timed, is_reversed=True)

"""Where a number was copied from: the layer below, the layer whose state another began from."""

from __future__ import annotations

import numpy as np

from lstmtui.analysis.layer_names import layer_name
from lstmtui.analysis.rounding import rounding_of
from lstmtui.analysis.stacks import stacks
from lstmtui.analysis.why.layer_numbers import LayerNumbers
from lstmtui.analysis.why.ledger import Place
from lstmtui.arrays import Array
from lstmtui.trace import Trace
from lstmtui.trace.lengths import lengths_of


def source_of(trace: Trace, place: Place) -> Place:
    """The number that a place is a copy of; the place itself if it is not a copy.

    x of a layer in a stack is h of the layer below, and y without a head is h of the last layer.
    """
    if place.quantity == "y" and trace.header.output_kind == "hidden":
        return source_of(trace, _h_of(trace, place, len(trace.layers) - 1))
    if place.quantity != "x" or trace.layers[place.layer].source is not None:
        return place
    lower = layer_below(trace, place.layer)
    if lower is None:
        return place
    below = _h_of(trace, place, lower)
    own = trace.values("x", place.layer, place.direction)[place.t, place.batch, place.unit]
    other = trace.values("h", lower, below.direction)[below.t, below.batch, below.unit]
    return below if np.array_equal(own, other, equal_nan=True) else place


def layer_below(trace: Trace, layer: int) -> int | None:
    """The layer whose h another one reads; None: it reads an input."""
    for stack in stacks(trace):
        if layer in stack[1:]:
            return stack[stack.index(layer) - 1]
    return None


def h_below(trace: Trace, place: Place) -> Place | None:
    """The h of the layer below that a channel of x was made from, though it may not be the same number."""
    lower = layer_below(trace, place.layer)
    return None if lower is None else _h_of(trace, place, lower)


def initial_place(numbers: LayerNumbers, state: str, unit: int) -> tuple[Place | None, str]:
    """Where an initial state came from: the end of another layer, or nowhere that was recorded; in words."""
    trace, (layer, direction) = numbers.trace, numbers.place
    own = np.asarray(trace.initial(state, layer, direction)[numbers.batch])
    origin = numbers.layer.state_origin(direction)
    words = f"the initial {state}" + (f" ({origin.removeprefix('begins from ')})" if origin else "")
    if not own.any():
        return None, words
    for other in range(len(trace.layers)):
        if trace.layers[other].source is not None or state not in trace.cell(other).states or other == layer:
            continue
        length = int(lengths_of(trace, other)[numbers.batch])
        for way in trace.layers[other].directions if length else ():
            t = 0 if way == "backward" else length - 1
            ended = np.asarray(trace.values(state, other, way)[t, numbers.batch])
            if ended.shape == own.shape and _is_same(ended, own, rounding_of(trace)):
                name = layer_name(trace, other) or f"layer {other}"
                sides = f" {way}" if len(trace.layers[other].directions) > 1 else ""
                place = Place(state, t, unit, other, way, numbers.batch)
                return place, f"what {name}{sides} ended with"
    return None, words


def _is_same(ended: Array, own: Array, rounding: float) -> bool:
    """What the kernel ended with and what was worked out of it may differ by rounding."""
    sizes = np.abs(own[np.isfinite(own)])
    return bool(np.isclose(ended, own, rtol=0, atol=rounding * sizes.max(initial=0.0), equal_nan=True).all())


def _h_of(trace: Trace, place: Place, layer: int) -> Place:
    """The number of h, of all directions side by side, that stands at the place's unit."""
    size = trace.layers[layer].size("h")
    side, unit = divmod(place.unit, size)
    directions = trace.layers[layer].directions
    return Place("h", place.t, unit, layer, directions[min(side, len(directions) - 1)], place.batch)

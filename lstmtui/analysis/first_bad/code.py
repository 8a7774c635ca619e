"""The first NaN or inf of all recorded code of a run, where one piece of code calls another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from lstmtui.analysis.first_bad.bindings import BadBinding, first_bad_binding
from lstmtui.analysis.first_bad.in_blocks import Which
from lstmtui.analysis.line_operands import LinePlace, operands_at
from lstmtui.trace import Trace
from lstmtui.trace.lengths import lengths_of
from lstmtui.trace.order import order_of


class LayerBinding(NamedTuple):
    """A bad binding, with its layer."""

    layer: int
    binding: BadBinding


def first_bad_of_code(trace: Trace, which: Which, batch: int | None = None) -> LayerBinding | None:
    """The first bad binding of the layers of recorded code; None where there is none.

    Each layer has its own first one. Of these that counts which was bound first. In a trace that does not
    have the order in which the lines of several layers ran, it is that which was made by its line, out of
    names that are finite, before those that a line was given; then the order of the layers; and before a line
    that calls other code, the line of that code, if that had run by then. Backward, the later round counts.

    Args:
        trace: the run.
        which: the pass.
        batch: one sequence alone; None: all of them.
    """
    every = list(_first_of_each(trace, which, batch))
    if every and all(order_of(trace, bad.layer) is not None for bad in every):
        return min(every, key=lambda bad: when(trace, which, bad))
    return _first_as_called(trace, which, every)


def when(trace: Trace, which: Which, bad: LayerBinding) -> tuple[bool, int]:
    """What sorts bad bindings by when the pass comes to them, of a trace that has the order.

    An infinity that code was given, as what is added to scores to mask them may be, is behind all others.
    """
    order, stage = order_of(trace, bad.layer), bad.binding.stage
    assert order is not None
    moment = int(order[0 if stage is None else stage, bad.binding.t])
    is_given = which == "forward" and np.isinf(bad.binding.value) and not _is_made_there(trace, bad)
    return bool(is_given), moment if which == "forward" else -moment


def _first_as_called(trace: Trace, which: Which, every: list[LayerBinding]) -> LayerBinding | None:
    """The first of those of each layer by what calls what, of a trace without the order."""
    if which == "backward":
        every.reverse()
    else:
        every = [bad for bad in every if _is_made_there(trace, bad)] or every
    first = next(iter(every), None)
    for other in every[1:]:
        assert first is not None
        own, t = first.binding.t, other.binding.t
        is_inside = _is_called_by(trace, other.layer, first.layer) and t <= own
        if which == "forward" and (is_inside or _is_read_by(trace, other, first)):
            first = other
        related = _is_called_by(trace, other.layer, first.layer) or _is_called_by(
            trace, first.layer, other.layer
        )
        if which == "backward" and related and t > own:
            first = other
    return first


def _first_of_each(trace: Trace, which: Which, batch: int | None) -> Iterator[LayerBinding]:
    for index, layer in enumerate(trace.layers):
        if layer.source is not None:
            binding = first_bad_binding(trace, index, layer.source, which, batch)
            if binding is not None:
                yield LayerBinding(index, binding)


def _is_called_by(trace: Trace, layer: int, caller: int) -> bool:
    """Whether a layer's module is inside another's, so that its code runs while the other's does."""
    path, outer = trace.layers[layer].path, trace.layers[caller].path
    return path != outer and (not outer or path.startswith(outer + "."))


def _is_read_by(trace: Trace, inner: LayerBinding, outer: LayerBinding) -> bool:
    """Whether the line of a bad binding calls, by its name, the module in whose code another is.

    That module has run by then: in the same round or an earlier one, or where it has timesteps of its own,
    in a call of such a round.
    """
    place, layer = _place_of(trace, outer), trace.layers[inner.layer]
    path, _, number = layer.path.partition("@")
    read = () if place is None else place.statement.names
    if not any(f".{path}".endswith(f".{name.removeprefix('self.')}") for name in read):
        return False
    has_own_time = layer.calls < int(lengths_of(trace, inner.layer).max())
    return (int(number or 1) - 1 if has_own_time else inner.binding.t) <= outer.binding.t


def _is_made_there(trace: Trace, bad: LayerBinding) -> bool:
    """Whether the line that bound it had read names, all of them finite."""
    place = _place_of(trace, bad)
    operands = [] if place is None else list(operands_at(place))
    return bool(operands) and all(np.isfinite(operand.values).all() for operand in operands)


def _place_of(trace: Trace, bad: LayerBinding) -> LinePlace | None:
    """The line that bound it; None of an argument."""
    source, binding = trace.layers[bad.layer].source, bad.binding
    variable = None if source is None else source.variable(binding.quantity)
    if source is None or variable is None or binding.stage is None or not variable.line:
        return None
    return LinePlace(
        trace, bad.layer, source, variable, binding.stage, binding.t, binding.batch, binding.unit
    )

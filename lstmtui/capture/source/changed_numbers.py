"""Which numbers of which tensors a what-if is about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lstmtui.arrays import Array
from lstmtui.capture.source.bindings import Binding
from lstmtui.capture.source.source_layer import SourceLayer
from lstmtui.trace import Trace
from lstmtui.trace.edits import Edit


def changed_by(layers: Sequence[SourceLayer], trace: Trace, edit: Edit) -> Iterator[tuple[Binding, Array]]:
    """The bindings that an edit changes, and which numbers of each.

    Args:
        layers: all that were recorded by source.
        trace: of the same run, in which they are the last of the layers.
        edit: of a variable.
    """
    layer = layers[edit.layer - len(trace.layers) + len(layers)]
    part = layer.series[edit.quantity]
    places = layer.places(part)
    units = slice(None) if edit.unit is None else slice(edit.unit, edit.unit + 1)
    if part.whole is not None:
        yield part.whole, _positions(places.values[edit.start : edit.stop + 1, edit.batch, units])
        return
    for t in range(edit.start, min(edit.stop + 1, len(part.rounds))):
        for step, binding in enumerate(part.rounds[t]):
            own = places.values[t] if places.inner is None else places.inner[t, step]
            yield binding, _positions(own[edit.batch, units])


def _positions(numbered: Array) -> Array:
    """From 0; a sequence that has ended has none."""
    flat = numbered.reshape(-1)
    return flat[flat > 0] - 1

"""Which numbers of which tensors a what-if is about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lstmtui.arrays import Array
from lstmtui.capture.source.bindings import Binding
from lstmtui.capture.source.layers.source_layer import SourceLayer
from lstmtui.errors import UserError
from lstmtui.trace import Trace
from lstmtui.trace.edits import Edit
from lstmtui.wording import counted


def changed_by(layers: Sequence[SourceLayer], trace: Trace, edit: Edit) -> Iterator[tuple[Binding, Array]]:
    """The bindings that an edit changes, and which numbers of each.

    Args:
        layers: all that were recorded by source.
        trace: of the same run, in which they are the last of the layers.
        edit: of a variable.

    Raises:
        UserError: it has no such sequence, unit or timestep.
    """
    layer = layers[edit.layer - len(trace.layers) + len(layers)]
    part = layer.series[edit.quantity]
    places = layer.places(part)
    check_place(edit.quantity, edit.start, edit.batch, edit.unit, places.values.shape)
    if edit.stop < edit.start:
        raise UserError(f"{edit.quantity}: no timestep is from {edit.start} to {edit.stop}")
    units = slice(None) if edit.unit is None else slice(edit.unit, edit.unit + 1)
    if part.whole is not None:
        first = 0
        for binding, steps in part.pieces or [(part.whole, layer.steps)]:
            own = places.values[first : first + steps]
            yield (
                binding,
                _positions(
                    own[max(0, edit.start - first) : max(0, edit.stop + 1 - first), edit.batch, units]
                ),
            )
            first += steps
        return
    for t in range(edit.start, min(edit.stop + 1, len(part.rounds))):
        for step, binding in enumerate(part.rounds[t]):
            own = places.values[t] if places.inner is None else places.inner[t, step]
            yield binding, _positions(own[edit.batch, units])


def check_place(name: str, t: int, batch: int, unit: int | None, sizes: tuple[int, ...]) -> None:
    """Refuse a place that a quantity of these sizes, (T, B, units), does not have.

    Raises:
        UserError: it has no such timestep, sequence or unit.
    """
    steps, sequences, units = sizes
    wanted = [("timestep", t, steps), ("sequence", batch, sequences)]
    wanted += [] if unit is None else [("unit", unit, units)]
    for what, number, size in wanted:
        if not 0 <= number < size:
            raise UserError(f"{name} has no {what} {number}: it has {counted(size, what)}, from 0")


def _positions(numbered: Array) -> Array:
    """From 0; a sequence that has ended has none."""
    flat = numbered.reshape(-1)
    return flat[flat > 0] - 1

"""The layers and directions that what-ifs reach, run again from the first timestep that changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from lstmtui.arrays import Array
from lstmtui.capture.devices import check_memory
from lstmtui.capture.progress import Progress
from lstmtui.capture.reruns.recorded_stack import RecordedStack, h_of, in_order
from lstmtui.capture.reruns.what_if_values import WhatIfValues, rounded
from lstmtui.capture.to_numpy import numpy_of
from lstmtui.capture.unrolled import SEGMENT, shifted
from lstmtui.models.unroll import unroll
from lstmtui.trace.edits import Edit
from lstmtui.trace.keys import array_key


class Span(NamedTuple):
    """Timesteps that may differ from the recorded run."""

    start: int
    stop: int
    """The last of them."""


class ChangedLayer(NamedTuple):
    """One layer and direction that has to be run again."""

    layer: int
    direction: str
    first: int
    """The first timestep that changes, in the order the cell sees time."""
    what_ifs: WhatIfValues


def run_changed(
    stack: RecordedStack, arrays: dict[str, Array], edits: Sequence[Edit], progress: Progress
) -> None:
    """Put the values that the edits change into `arrays`, as new arrays.

    Args:
        stack: the model, and what it recorded.
        arrays: the recorded values by key; those that nothing reaches stay as they are.
        edits: of x and of what the cells compute.
        progress: counts the timesteps that are run.
    """
    changes = _planned(stack, edits)
    progress.expect(sum(stack.steps - change.first for change in changes))
    check_memory(sum(_size(stack, change.layer) for change in changes), stack.dtype)
    sequences = sorted({edit.batch for edit in edits})
    _change_x(stack, arrays, [edit for edit in edits if edit.quantity == "x"])
    for position, change in enumerate(changes):
        if (
            change.layer
            and change.layer != changes[position - 1].layer
            and _reached(changes, change.layer - 1)
        ):
            x = h_of(stack.trace, arrays, change.layer - 1)
            directions = stack.trace.layers[change.layer].directions
            arrays |= dict.fromkeys((array_key("x", change.layer, d) for d in directions), x)
        _run(stack, arrays, change, sequences, progress)


def is_there_already(stack: RecordedStack, edits: Sequence[Edit]) -> bool:
    """Whether the edits put in nothing but what was recorded there, as input: then they change no number.

    A value of the cell's own that is put in place of the same value cuts off what it was made of.
    """
    like = torch.empty((), dtype=stack.dtype, device="cpu")
    return all(edit.quantity == "x" and _is_there(stack, edit, like) for edit in edits)


def _is_there(stack: RecordedStack, edit: Edit, like: torch.Tensor) -> bool:
    x = stack.trace.arrays[array_key("x", 0, stack.trace.layers[0].directions[0])]
    unit = slice(None) if edit.unit is None else edit.unit
    recorded = x[edit.start : edit.stop + 1, edit.batch, unit]
    return bool((recorded == float(rounded(edit.value, like))).all())


def _planned(stack: RecordedStack, edits: Sequence[Edit]) -> list[ChangedLayer]:
    """What has to be run again, from the input to the output."""
    changes = []
    inputs = [edit for edit in edits if edit.quantity == "x"]
    span = _union([Span(edit.start, edit.stop) for edit in inputs])
    for layer in stack.layers:
        spans = []
        for direction in stack.trace.layers[layer].directions:
            own = [e for e in edits if (e.layer, e.direction) == (layer, direction) and e.quantity != "x"]
            what_ifs = WhatIfValues(own, stack.steps, direction)
            first = _first(what_ifs, span, stack.steps, direction)
            if first is None:
                continue
            changes.append(ChangedLayer(layer, direction, first, what_ifs))
            last = stack.steps - 1
            spans.append(Span(first, last) if direction == "forward" else Span(0, last - first))
        span = _union(spans)
    return changes


def _first(what_ifs: WhatIfValues, span: Span | None, steps: int, direction: str) -> int | None:
    """The first timestep that its own edits or its x change, in the order the cell sees time."""
    starts = [] if what_ifs.first is None else [what_ifs.first]
    if span is not None:
        starts.append(span.start if direction == "forward" else steps - 1 - span.stop)
    return min(starts, default=None)


def _union(spans: Sequence[Span]) -> Span | None:
    if not spans:
        return None
    return Span(min(span.start for span in spans), max(span.stop for span in spans))


def _reached(changes: Sequence[ChangedLayer], layer: int) -> bool:
    return any(change.layer == layer for change in changes)


def _change_x(stack: RecordedStack, arrays: dict[str, Array], edits: Sequence[Edit]) -> None:
    """x of the first layer, which both directions read."""
    if not edits:
        return
    keys = [array_key("x", 0, direction) for direction in stack.trace.layers[0].directions]
    x = np.array(arrays[keys[0]])
    like = torch.empty((), dtype=stack.dtype, device="cpu")
    for edit in edits:
        unit = slice(None) if edit.unit is None else edit.unit
        x[edit.start : edit.stop + 1, edit.batch, unit] = float(rounded(edit.value, like))
    arrays |= dict.fromkeys(keys, x)


def _run(
    stack: RecordedStack,
    arrays: dict[str, Array],
    change: ChangedLayer,
    sequences: list[int],
    progress: Progress,
) -> None:
    """Run one layer and direction; sequences without a change keep what was recorded."""
    layer, direction, first, what_ifs = change
    cell, parameters = stack.trace.cell(layer), stack.parameters(layer, direction)
    made = {name: np.array(arrays[array_key(name, layer, direction)]) for name in cell.quantities}
    # Segments begin where those of the recording do, so that W·x comes out with the same bits.
    begin = first - first % SEGMENT
    x = stack.tensor(in_order(arrays[array_key("x", layer, direction)], direction)[begin:])
    valid = stack.valid(direction)
    states = stack.states_before(arrays, layer, direction, first)
    for start in range(begin, stack.steps, SEGMENT):
        part = slice(start, min(start + SEGMENT, stack.steps))
        now = None if valid is None else valid[part]
        skipped = max(0, first - start)
        inside = x[start - begin : part.stop - begin]
        observe = shifted(what_ifs, start)
        seen, _, states = unroll(cell, parameters, inside, states, now, observe, skipped)
        for name, values in seen.items():
            new = torch.stack(values)
            new = new if now is None else torch.where(now[skipped:], new, 0.0)
            ordered = in_order(made[name], direction)
            ordered[start + skipped : part.stop, sequences] = numpy_of(new)[:, sequences]
        progress.advance(part.stop - start - skipped)
    arrays |= {array_key(name, layer, direction): array for name, array in made.items()}


def _size(stack: RecordedStack, layer: int) -> int:
    """How many numbers the values of one direction of a layer are."""
    units = sum(stack.trace.layers[layer].size(name) for name in stack.trace.cell(layer).quantities)
    return units * stack.steps * stack.batch

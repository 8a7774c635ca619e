"""A run by source that is ready to be put into a trace."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import CodeType

import numpy as np
import torch

from lstmtui.arrays import Array
from lstmtui.capture.source.bindings import Binding
from lstmtui.capture.source.input_axes import InputAxes, Shape
from lstmtui.capture.source.layers.series import Series
from lstmtui.capture.source.layers.shapes import Batch, time_axis_of
from lstmtui.capture.source.layers.stacked import Stacked, stack, unrolled
from lstmtui.capture.source.runs.run import Run
from lstmtui.capture.stores.deferred_arrays import Entry, changed
from lstmtui.trace import Layer
from lstmtui.trace.keys import array_key


@dataclass(frozen=True)
class Conditions:
    """What is known about a recording as a whole."""

    inputs: Sequence[Shape]
    """The shapes of the model's input."""
    steps: int
    """How many there are: of the longest run."""
    axes: InputAxes
    features: Collection[int] = ()
    """The sizes of the axes of the model's parameters."""
    stretches: Collection[int] = ()
    """How many timesteps calls have that go on from one another."""

    def time_of(self, shape: Shape, steps: int) -> int | None:
        """Which axis of a tensor is all timesteps; None where none is as long.

        Raises:
            Unfit: it cannot be told.
        """
        return time_axis_of(shape, steps, self.axes.time, self.features)


@dataclass(eq=False)
class SourceLayer:
    """One run, ready to be put into a trace."""

    run: Run
    layer: Layer
    steps: int
    batch: int
    arrays: dict[str, Entry]
    """By what follows the number of the layer and its direction."""
    lengths: Array
    """(B,): the number of rounds of each sequence."""
    order: Array
    """(stages, T): the orders of the bindings."""
    series: dict[str, Series]
    """What its variables were made of, by name."""
    sequences: Batch
    """Which axis of its tensors they are."""
    conditions: Conditions
    """Of the recording."""
    codes: Sequence[CodeType]
    """Of its functions, in their order."""

    def keyed(self, number: int, steps: int, batch: int) -> dict[str, Entry]:
        """The arrays by their keys in a trace, with zeros past the end of this run.

        Args:
            number: of the layer.
            steps: T of the trace.
            batch: B of the trace.
        """
        return {
            array_key(name, number, "forward"): changed(partial(_padded, name, steps, batch), array)
            for name, array in self.arrays.items()
        }

    def places(self, part: Series) -> Stacked:
        """Where each number of a variable is in the tensor that it was bound to: row-major, from 1."""
        rounds = [[_numbered(binding) for binding in own] for own in part.rounds]
        whole = None if part.whole is None else _numbered(part.whole)
        pieces = [(_numbered(binding), steps) for binding, steps in part.pieces]
        alike = replace(part, rounds=rounds, whole=whole, pieces=pieces)
        if whole is None:
            return stack(alike, self.sequences, derived=False)
        return unrolled(alike, self.sequences, self.steps, self.conditions.time_of, derived=False)


def number_anew(layers: Iterable[SourceLayer]) -> None:
    """Leave no gap in the numbers of a module's runs, path@2, path@3 …, where one of them shows nothing."""
    numbers: Counter[tuple[int, str]] = Counter()
    for own in layers:
        path, _, number = own.run.path.rpartition("@")
        path = path if number.isdigit() else own.run.path
        call = own.run.call
        key = id(call.code if call.module is None else call.module), path
        numbers[key] += 1
        own.layer = replace(own.layer, path=f"{path}@{numbers[key]}" if numbers[key] > 1 else path)


def _padded(name: str, steps: int, batch: int, array: Array) -> Array:
    kind = name.partition("/")[0] if "/" in name else ""
    axes = {"once": {}, "initial": {0: batch}, "bound": {0: steps}, "inner_count": {0: steps}}
    sizes = axes.get(kind, {0: steps, 2 if kind == "inner" else 1: batch})
    missing = [(0, sizes.get(axis, have) - have) for axis, have in enumerate(array.shape)]
    return np.pad(array, missing) if any(more for _, more in missing) else array


def _numbered(binding: Binding) -> Binding:
    b, shape = binding, binding.value.shape
    places = torch.arange(1, shape.numel() + 1, device="cpu").reshape(shape)
    return Binding(b.order, b.call, b.name, b.line, b.passes, places, b.identity, b.leaf, b.absent)

"""Arrays that go to the files of a trace while a layer is run, so that memory does not grow with T."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from lstmtui.capture.stores.store import Store
from lstmtui.capture.to_numpy import numpy_of
from lstmtui.python_parser import retried
from lstmtui.trace.array_file import ArrayFile
from lstmtui.trace.keys import array_key
from lstmtui.trace.writing import TraceWriter

_BLOCK = 1 << 22
"""Bytes that are read at a time."""


class FileStore(Store):
    """A store that keeps nothing in memory.

    Args:
        writer: whose arrays they become.
        layer: the layer's number in the trace.
        direction: "backward" is written in the order of time.
        prefix: "d" for derivatives.
    """

    def __init__(self, writer: TraceWriter, layer: int, direction: str, prefix: str = "") -> None:
        super().__init__()
        self.writer = writer
        self.files: dict[str, ArrayFile] = {}
        self._layer, self._direction, self._prefix = layer, direction, prefix
        self._like: Tensor | None = None

    def put(self, quantity: str, start: int, values: Tensor, steps: int) -> None:
        """Write a segment."""
        array, self._like = numpy_of(values), values.new_empty(0)
        if quantity not in self.files:
            self.create(quantity, (steps, *array.shape[1:]), array.dtype)
        if self._direction == "backward":
            start, array = steps - start - len(array), array[::-1]
        self.files[quantity].write(start, array)
        if quantity == "h":
            self.writer.advance(start + len(array))

    def clear(self) -> None:
        """Forget every array."""
        for quantity in self.files:
            self.writer.remove(self._key(quantity))
        self.files.clear()

    def create(self, quantity: str, shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> None:
        """An array of zeros, in place of one that is there."""
        self.files[quantity] = self.writer.array(self._key(quantity), shape, dtype)

    def _key(self, quantity: str) -> str:
        return array_key(self._prefix + quantity, self._layer, self._direction)

    hands_back = False

    def parts(self, start: int, stop: int) -> dict[str, Tensor]:
        """None: parts are computed again."""
        return {}

    def gave(self, tensor: Tensor) -> bool:
        """As of any store; what is turned round is in another order."""
        return self._direction == "forward" and super().gave(tensor)

    def _whole(self, quantity: str) -> Tensor:
        """The array mapped from its file; changes to it stay in memory."""
        mapped = retried(lambda: np.load(self.files[quantity].file, mmap_mode="c"))
        tensor = torch.from_numpy(mapped[::-1].copy() if self._direction == "backward" else mapped)
        assert self._like is not None
        return tensor.to(self._like)


def complete(
    stores: Sequence[tuple[FileStore, FileStore]], steps: int, batch: int, *, derivatives: bool
) -> None:
    """Make the files of one layer what a trace holds.

    Args:
        stores: the values and the derivatives of each direction.
        steps: T of the whole trace, which may be longer than this run.
        batch: B of the whole trace.
        derivatives: whether there are any.
    """
    if derivatives:
        for values, made in stores:
            for quantity, file in values.files.items():
                if quantity not in made.files:
                    # Those of a layer that is in the graph, and that the loss does not depend on, are 0.
                    made.create(quantity, file.shape, file.dtype)
        _total_input_derivative([made.files["x"] for _, made in stores])
    for store in (store for pair in stores for store in pair):
        for quantity, file in list(store.files.items()):
            if file.shape[:2] != (steps, batch):
                short = file.read(0, len(file))
                store.create(quantity, (steps, batch, *file.shape[2:]), file.dtype)
                missing = [(0, 0), (0, batch - file.shape[1]), (0, 0)]
                store.files[quantity].write(0, np.pad(short, missing))


def copy(source: ArrayFile, target: ArrayFile) -> None:
    """The same values in another file."""
    for start, stop in _blocks(source):
        target.write(start, source.read(start, stop))


def _total_input_derivative(files: list[ArrayFile]) -> None:
    """x is read by both directions: its total derivative is the sum of what each of them gives."""
    if len(files) < 2:
        return
    for start, stop in _blocks(files[0]):
        total = files[0].read(start, stop) + files[1].read(start, stop)
        for file in files:
            file.write(start, total)


def _blocks(file: ArrayFile) -> list[tuple[int, int]]:
    row = max(1, int(np.prod(file.shape[1:], dtype=object)) * file.dtype.itemsize)
    size = max(1, _BLOCK // row)
    return [(start, start + size) for start in range(0, len(file), size)]

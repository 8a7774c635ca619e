"""Checkpoints of every kind we read: which tensors there are, and the recurrent layers among them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING

from lstmtui.errors import UserError
from lstmtui.models.checkpoints.layers import find_layers
from lstmtui.models.checkpoints.names import Entry, plain_names
from lstmtui.scenario.files import file_size
from lstmtui.scenario.numbers.data import file_kind
from lstmtui.scenario.numbers.tensors import FLOATS, StoredTensor, TensorFile
from lstmtui.scenario.problem import shown
from lstmtui.scenario.report import DataError
from lstmtui.uncollected import uncollected

if TYPE_CHECKING:
    from lstmtui.arrays import Array
    from lstmtui.models.checkpoints.archived_tensors import ArchivedTensor
    from lstmtui.models.checkpoints.found_layer import FoundLayer

PICKLED = (".pt", ".pth", ".ckpt", ".bin")
PROGRAMS = (".jit", ".ts", ".pt2")
KERAS = (".keras", ".h5", ".hdf5")
KINDS = (".safetensors", *PICKLED, *PROGRAMS, *KERAS)
_QUANTISED = frozenset(("qint8", "quint8", "qint32", "quint4x2", "quint2x4", "int8", "uint8", "I8", "U8"))
"""The dtypes of quantised weights, whose scale is kept in another tensor."""


Tensors = Mapping[Entry, "StoredTensor | ArchivedTensor"]
"""Every tensor: its dtype (F32, BF16 …) and shape are known."""


class Checkpoint:
    """A checkpoint file: its tensors by the names their modules have in the user's code.

    Args:
        path: a .safetensors file, one of `torch.save` (.pt .pth .ckpt .bin), a program of TorchScript (.jit
            .ts .pt) or of torch.export (.pt2), whose code is not run, or one of Keras (.keras .h5 .hdf5).

    Raises:
        DataError: it cannot be read, or is refused.
    """

    @uncollected()
    def __init__(self, path: Path) -> None:
        self.path = path
        kind = file_kind(path.name, KINDS)
        self._cells: Mapping[str, str] = {}
        self._wrong: Mapping[str, str] = {}
        self._remark = ""
        stored: Tensors
        self._read: Callable[[Entry], Array]
        if kind == ".safetensors":
            file = TensorFile(path)
            stored = dict(zip(zip(repeat(()), file.tensors), file.tensors.values(), strict=True))
            self._read = lambda entry: file.read(entry[1])
        else:
            file_size(path)
            try:
                stored = self._keras() if kind in KERAS else self._of_torch()
            except UserError as error:
                raise DataError(str(error)) from None
        self._entries = plain_names(stored)
        tensors = map(stored.__getitem__, self._entries.values())
        self.tensors = dict(zip(self._entries, tensors, strict=True))

    @cached_property
    @uncollected()
    def layers(self) -> tuple[FoundLayer, ...]:
        """Every recurrent module, in the file's order."""
        shapes = dict(zip(self.tensors, [tensor.shape for tensor in self.tensors.values()], strict=True))
        layers = find_layers(shapes, self._entries)
        if not _QUANTISED.isdisjoint([tensor.dtype for tensor in self.tensors.values()]):
            layers = tuple([self._unless_quantised(layer) for layer in layers])
        if not (self._cells or self._wrong or self._remark):
            return layers
        return tuple(
            layer.described(self._cells.get(layer.path, ""), self._wrong.get(layer.path, ""), self._remark)
            for layer in layers
        )

    def _keras(self) -> Tensors:
        from lstmtui.models.keras.process import read_keras

        weights = read_keras(self.path)
        self._read = lambda entry: weights.tensors[entry[1]]
        self._cells, self._wrong, self._remark = weights.cells, weights.wrong, weights.remark
        return {
            ((), name): StoredTensor(f"F{8 * array.dtype.itemsize}", array.shape)
            for name, array in weights.tensors.items()
        }

    def _of_torch(self) -> Tensors:
        from lstmtui.models.checkpoints.torch_files import open_torch_file

        tensors, program = open_torch_file(self.path)
        self._read, self._cells = tensors.read, tensors.cells
        if program:
            self._remark = f"of a program of {program}, none of which is run: x is what goes into this layer"
        return tensors.tensors

    def _unless_quantised(self, layer: FoundLayer) -> FoundLayer:
        integers = sorted(
            {kind for name in layer.names.values() if (kind := self.tensors[name].dtype) in _QUANTISED}
        )
        if not integers:
            return layer
        wrong = f"its weights are quantised ({', '.join(integers)}); save them as floating-point numbers"
        return layer._replace(layout=None, wrong=wrong)

    def read(self, name: str) -> Array:
        """One tensor; float32 where it is stored in half precision.

        Raises:
            DataError: its numbers cannot be read.
        """
        try:
            return self._read(self._entries[name])
        except UserError as error:
            raise DataError(str(error)) from None

    def read_floats(self, name: str) -> Array:
        """One tensor of floating-point numbers.

        Raises:
            DataError: it holds others, or cannot be read.
        """
        if self.tensors[name].dtype not in FLOATS:
            wrong = f"{shown(name)} is of dtype {self.tensors[name].dtype}"
            raise DataError(wrong, f"allowed: {', '.join(FLOATS)}")
        return self.read(name)

"""Pickles that describe tensors, read without calling anything that they name. No torch."""

from __future__ import annotations

import pickle
import re
from io import BytesIO
from typing import Any

import numpy as np

from lstmtui.models.checkpoints.archived_tensors import TUPLE
from lstmtui.models.checkpoints.batches import Batch
from lstmtui.models.checkpoints.names import MOST_TENSORS, TOO_MANY
from lstmtui.models.checkpoints.opcodes import Pickle
from lstmtui.models.checkpoints.stand_ins import CALLED, Numbers
from lstmtui.models.checkpoints.tensor_batches import TensorBatch
from lstmtui.models.checkpoints.version_batches import VersionBatch

_DTYPES = {
    "DoubleStorage": "F64",
    "FloatStorage": "F32",
    "HalfStorage": "F16",
    "BFloat16Storage": "BF16",
    "ComplexDoubleStorage": "complex128",
    "ComplexFloatStorage": "complex64",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    **{f"{name}Storage": name.lower() for name in ("QInt8", "QUInt8", "QInt32", "QUInt4x2", "QUInt2x4")},
}
_DTYPE = re.compile(r"(?:b?float|complex|q?u?int|bits)\d\w*|bool")
_SHORT = {"float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16"}

_REBUILD, _ORDERED = CALLED["torch._utils", "_rebuild_tensor_v2"], CALLED["collections", "OrderedDict"]


class CalleeError(pickle.UnpicklingError):
    """A pickle names something that is not read; `callee` is its full name."""

    def __init__(self, callee: str) -> None:
        super().__init__(f"opening it would call {callee[:200]}")
        self.callee = callee


class TooManyTensorsError(ValueError):
    """A pickle describes more tensors than are looked at."""


class TensorUnpickler(pickle.Unpickler):
    """Makes dicts, lists and descriptions of tensors, and refuses to call anything else.

    Args:
        pickled: what it reads.
    """

    def __init__(self, pickled: Pickle) -> None:
        super().__init__(BytesIO(pickled.content), encoding="utf-8")
        self._count = 0
        self._batches = pickled.batches
        self.storages: dict[str, str] = {}
        """The dtype of the numbers under each key."""

    def find_class(self, module: str, name: str) -> Any:
        module = "builtins" if module == "__builtin__" else module  # as Python 2 called it
        callee = CALLED.get((module, name))
        if callee is not None:
            return callee
        if module in ("torch", "torch.cuda", "torch.storage") and name.endswith("Storage"):
            return name
        if module == "torch" and _DTYPE.fullmatch(name):
            return _SHORT.get(name, name)
        raise CalleeError(f"{module}.{name}")

    def load(self) -> Any:
        """What the pickle holds.

        Raises:
            ValueError: an entry of the memo is put by a batch, and by something else.
        """
        value = super().load()
        if self._batches:
            lowest, highest = np.array([batch.memo for batch in self._batches]).T
            entries = np.sort(np.fromiter(self.memo.copy(), np.int64))
            if (np.searchsorted(entries, lowest) != np.searchsorted(entries, highest, "right")).any():
                raise ValueError("an entry of the memo is a batch's and another's")
        return value

    def persistent_load(self, pid: Any) -> Numbers | Batch:
        """Where the numbers of a tensor are; or a batch."""
        if type(pid) is tuple and pid and type(pid[0]) is bytes:
            return self._batch(int.from_bytes(pid[0], "little"), *pid[1:])
        self._add(1)
        if type(pid) is not tuple or not 5 <= len(pid) <= 6 or pid[0] != "storage":
            raise ValueError("its description has a tensor without numbers")
        storage, key, view = pid[1], pid[2], pid[5] if len(pid) == 6 else None
        first = view[1] if type(view) is tuple else 0
        if type(storage) is not str or type(key) is not str or type(first) is not int:
            raise ValueError("its description has a tensor without numbers")
        dtype = self.storages.setdefault(key, _DTYPES.get(storage, storage))
        return TUPLE(Numbers, (dtype, key, first))  # type: ignore[no-any-return]

    def _batch(self, number: int, *values: Any) -> Batch:
        match self._batches[number]:
            case TensorBatch() as batch:
                self._add(len(batch))
                rebuild, storage, _device, hooks, *own = values
                if rebuild is not _REBUILD or storage != "storage" or hooks is not _ORDERED:
                    raise ValueError("a batch is not one of tensors")
                batch.resolve(own, _DTYPES, self.storages)
            case VersionBatch() as batch:
                batch.resolve(*values)
        return self._batches[number]

    def _add(self, count: int) -> None:
        self._count += count
        if self._count > MOST_TENSORS:
            raise TooManyTensorsError(TOO_MANY)

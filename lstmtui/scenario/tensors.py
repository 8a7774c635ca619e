"""Tensors from .safetensors files: the header is checked before any number is read."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lstmtui.scenario.files import open_file
from lstmtui.scenario.problem import short, shown
from lstmtui.scenario.report import DataError
from lstmtui.scenario.schema import MAX_ELEMENTS

if TYPE_CHECKING:
    from lstmtui.scenario.scenario import Array

_DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "u1",
    "BOOL": "?",
}
FLOATS = ("F64", "F32", "F16", "BF16")


@dataclass(frozen=True)
class StoredTensor:
    """What the header says of one tensor."""

    dtype: str
    """F32, BF16 …"""
    shape: tuple[int, ...]


class TensorFile:
    """A .safetensors file whose header has been read and checked.

    Raises:
        DataError: it cannot be opened, or its header does not fit the file.
    """

    def __init__(self, path: Path) -> None:
        from safetensors import SafetensorError, safe_open

        self._path = path
        self._data: dict[str, bytearray] | None = None
        file, _ = open_file(path)
        file.close()
        try:
            with safe_open(path, framework="np") as opened:
                slices = {name: opened.get_slice(name) for name in opened.keys()}  # noqa: SIM118
                self.tensors = {
                    name: StoredTensor(part.get_dtype(), tuple(part.get_shape()))
                    for name, part in slices.items()
                }
        except (SafetensorError, OSError, ValueError) as error:
            raise self._broken(short(str(error).removeprefix("Error while deserializing header: "))) from None
        for name, tensor in self.tensors.items():
            self._check(name, tensor)

    def read(self, name: str) -> Array:
        """One tensor: as it is stored, or float32 where it is stored in half precision."""
        import numpy as np

        stored = self.tensors[name]
        array: Array = np.frombuffer(self._bytes()[name], dtype=_DTYPES[stored.dtype])
        if stored.dtype == "BF16":
            array = (array.astype(np.uint32) << 16).view(np.float32)
        elif stored.dtype == "F16":
            array = array.astype(np.float32)
        return array.reshape(stored.shape)

    def _bytes(self) -> dict[str, bytearray]:
        """The bytes of every tensor; numpy has no bfloat16, for which the library's own arrays fail."""
        from safetensors import SafetensorError, deserialize

        if self._data is None:
            try:
                entries = deserialize(self._path.read_bytes())  # type: ignore[no-untyped-call]
                self._data = {name: entry["data"] for name, entry in entries}
            except (SafetensorError, OSError, ValueError) as error:
                raise self._broken(short(str(error))) from None
        return self._data

    def _check(self, name: str, tensor: StoredTensor) -> None:
        if tensor.dtype not in _DTYPES:
            raise DataError(
                f"{short(self._path.name)}: {shown(name)} is of dtype {short(tensor.dtype)}",
                f"allowed: {', '.join(_DTYPES)}",
            )
        if math.prod(tensor.shape) > MAX_ELEMENTS:
            raise self._broken(f"{shown(name)} has more than {MAX_ELEMENTS:,} numbers")

    def _broken(self, reason: str) -> DataError:
        return DataError(f"{short(self._path.name)} is not a readable .safetensors file: {reason}")

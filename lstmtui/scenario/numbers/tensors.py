"""Tensors from .safetensors files: the header is checked before any number is read."""

from __future__ import annotations

import json
import math
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from lstmtui.models.checkpoints.names import MOST_TENSORS, TOO_MANY
from lstmtui.scenario.files import open_file
from lstmtui.scenario.limits import MAX_ELEMENTS
from lstmtui.scenario.problem import short, shown
from lstmtui.scenario.report import DataError

if TYPE_CHECKING:
    from lstmtui.arrays import Array

LARGEST_HEADER = 32 << 20
"""The most bytes a header may have; some ten bytes of memory are needed for each."""

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


class StoredTensor(NamedTuple):
    """What the header says of one tensor."""

    dtype: str
    """F32, BF16 …"""
    shape: tuple[int, ...]


class TensorFile:
    """A .safetensors file whose header has been read and checked.

    Raises:
        DataError: it cannot be opened, or its header does not fit the file, or has too many tensors.
    """

    def __init__(self, path: Path) -> None:
        from safetensors import SafetensorError, safe_open

        self._path = path
        file, size = open_file(path)
        with file:
            self._start = self._header_end(file, size)
        try:
            with safe_open(path, framework="np") as opened:
                names = opened.keys()
                if len(names) > MOST_TENSORS:
                    raise ValueError(TOO_MANY)
                parts = map(opened.get_slice, names)
                described = [(part.get_dtype(), tuple(part.get_shape())) for part in parts]
        except (SafetensorError, OSError, ValueError) as error:
            raise self._broken(short(str(error).removeprefix("Error while deserializing header: "))) from None
        # Most are of a few kinds, and a named tuple takes as long to make as all the rest.
        kinds = {kind: StoredTensor(*kind) for kind in set(described)}
        self.tensors = dict(zip(names, map(kinds.__getitem__, described), strict=True))

    def read(self, name: str) -> Array:
        """One tensor: as it is stored, or float32 where it is stored in half precision.

        Raises:
            DataError: it is of a dtype numpy has not, too large, or the file ends within it.
        """
        import numpy as np

        stored = self.tensors[name]
        self._check(name, stored)
        array: Array = np.frombuffer(self._bytes(name), dtype=_DTYPES[stored.dtype])
        if stored.dtype == "BF16":
            array = (array.astype(np.uint32) << 16).view(np.float32)
        elif stored.dtype == "F16":
            array = array.astype(np.float32)
        return array.reshape(stored.shape)

    def _header_end(self, file: BinaryIO, size: int) -> int:
        """Where the numbers begin; the header's own length is not believed before it is compared."""
        length = int.from_bytes(file.read(8), "little")
        if size < 8:
            raise self._broken("header too small")
        if length > size - 8:
            raise self._broken(f"its header claims {length:,} bytes, the file has {size:,}")
        if length > LARGEST_HEADER:
            raise self._broken(f"its header has {length:,} bytes, at most {LARGEST_HEADER:,} are read")
        return 8 + length

    def _bytes(self, name: str) -> bytearray:
        """The bytes of one tensor. The library's own reader has no bfloat16 for numpy."""
        try:
            first, last = self._offsets[name]
            with self._path.open("rb") as file:
                file.seek(self._start + first)
                data = bytearray(file.read(last - first))  # an array on it can be written to
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise self._broken(short(str(error))) from None
        if len(data) != last - first:
            raise self._broken(f"it ends within {shown(name)}")
        return data

    @cached_property
    def _offsets(self) -> dict[str, tuple[int, int]]:
        """Where each tensor's bytes stand after the header, which has been found sound."""
        with self._path.open("rb") as file:
            file.seek(8)
            header = json.loads(file.read(self._start - 8))
        return {name: tuple(header[name]["data_offsets"]) for name in self.tensors}

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

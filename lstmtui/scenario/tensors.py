"""Tensors from .safetensors files: the header is checked before any number is read."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstmtui.scenario.files import open_file
from lstmtui.scenario.problem import short, shown
from lstmtui.scenario.report import DataError
from lstmtui.scenario.schema import MAX_ELEMENTS

if TYPE_CHECKING:
    from lstmtui.scenario.scenario import Array

_LARGEST_HEADER = 16 << 20
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
    start: int
    """Its first byte, counted from the start of the file."""
    size: int
    """In bytes."""


class TensorFile:
    """A .safetensors file whose header has been read and checked.

    Raises:
        DataError: it cannot be opened, or its header does not fit the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        file, size = open_file(path)
        try:
            with file:
                header = file.read(8)
                length = int.from_bytes(header, "little")
                if len(header) < 8 or length > size - 8:
                    raise self._broken(f"its header would take {length:,} bytes, the file has {size:,}")
                if length > _LARGEST_HEADER:
                    raise self._broken(f"its header takes {length:,} bytes")
                entries = _parse(file.read(length))
        except OSError:
            raise self._broken("it cannot be read") from None
        if entries is None:
            raise self._broken("its header is not JSON")
        entries.pop("__metadata__", None)
        self.tensors = {name: self._stored(name, entry, length + 8, size) for name, entry in entries.items()}

    def read(self, name: str) -> Array:
        """One tensor: as it is stored, or float32 where it is stored in half precision."""
        import numpy as np

        stored = self.tensors[name]
        array: Array
        try:
            array = np.fromfile(
                self._path, dtype=_DTYPES[stored.dtype], count=math.prod(stored.shape), offset=stored.start
            )
        except OSError:
            raise self._broken("it cannot be read") from None
        if array.nbytes != stored.size:
            raise self._broken(f"{shown(name)} is cut off")
        if stored.dtype == "BF16":
            array = (array.astype(np.uint32) << 16).view(np.float32)
        elif stored.dtype == "F16":
            array = array.astype(np.float32)
        return array.reshape(stored.shape)

    def _stored(self, name: str, entry: Any, data: int, size: int) -> StoredTensor:
        """Check one entry of the header; `data` is where the numbers start."""
        try:
            dtype, shape, (start, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
            sizes = [*shape, start, end]
            sound = isinstance(dtype, str) and all(type(n) is int and n >= 0 for n in sizes)
        except (KeyError, TypeError, ValueError):
            sound = False
        if not sound:
            raise self._broken(f"{shown(name)} has no dtype, shape and place in its header")
        if dtype not in _DTYPES:
            raise DataError(
                f"{short(self._path.name)}: {shown(name)} is of dtype {short(dtype)}",
                f"allowed: {', '.join(_DTYPES)}",
            )
        count = math.prod(shape)
        if count > MAX_ELEMENTS:
            raise self._broken(f"{shown(name)} has more than {MAX_ELEMENTS:,} numbers")
        import numpy as np

        if end - start != count * np.dtype(_DTYPES[dtype]).itemsize or data + end > size:
            raise self._broken(f"{shown(name)} does not fit: the file is cut off or its header is wrong")
        return StoredTensor(dtype, shape, data + start, end - start)

    def _broken(self, reason: str) -> DataError:
        return DataError(f"{short(self._path.name)} is not a readable .safetensors file: {reason}")


def _parse(header: bytes) -> dict[str, Any] | None:
    try:
        entries = json.loads(header.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    return dict(entries) if isinstance(entries, Mapping) else None

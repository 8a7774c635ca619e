"""Tensors from files of `torch.save` before PyTorch 1.6: pickles, then the numbers. No torch."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Mapping
from typing import Any

from lstmtui.models.checkpoints.archived_tensors import ArchivedTensor, DescribedTensors
from lstmtui.models.checkpoints.names import Entry
from lstmtui.models.checkpoints.pickle import DAMAGED, entries_of, read_description

LARGEST = 4 << 30
"""The most bytes of a file, whose descriptions have to be looked for."""
_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
_SIZES = (
    {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "complex128": 16, "complex64": 8, "int64": 8, "int32": 4}
    | {"int16": 2, "qint32": 4}
    | dict.fromkeys(("int8", "uint8", "bool", "qint8", "quint8"), 1)
)
"""Bytes of a number."""


class OldTensors(DescribedTensors):
    """The tensors of such a file; what is read of it and what is not is as in `PickledTensors`.

    Raises:
        UserError: the file holds more than tensors, is cut off, or is no such file.
    """

    def _described(self) -> dict[Entry, ArchivedTensor]:
        if self._path.stat().st_size > LARGEST:
            raise ValueError("it is in PyTorch's old format and larger than 4 GiB")
        with (
            self._path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
        ):
            descriptions, at = [], 0
            for expected in (_MAGIC, _PROTOCOL, None, None, None):
                description = read_description(content, self._name, at)
                value, at = description.value, description.end
                if expected is not None and (type(value) is not int or value != expected):
                    raise ValueError(DAMAGED)
                descriptions.append(description)
            described, keys = descriptions[-2:]
            self._places = _places(content, at, keys.value, described.storages)
        return dict(entries_of(described.value))

    def _numbers(self, member: str, start: int, end: int) -> bytes:
        first, last = self._places[member]
        with self._path.open("rb") as file:
            file.seek(first + start)
            return file.read(max(min(first + end, last) - first - start, 0))


def _places(
    content: mmap.mmap, at: int, keys: Any, storages: Mapping[str, str]
) -> dict[str, tuple[int, int]]:
    """Where the numbers under each key begin and end: each is headed by how many they are.

    Raises:
        ValueError: they are not all there.
    """
    places: dict[str, tuple[int, int]] = {}
    end, unpack = len(content), struct.Struct("<q").unpack_from
    for key in keys if isinstance(keys, list) else ():
        if not isinstance(key, str) or key not in storages:
            raise ValueError(DAMAGED)
        size = _SIZES.get(storages[key])
        if size is None:
            raise ValueError(f"its numbers are of an unknown kind, {storages[key]}")
        if at + 8 > end:
            raise ValueError("it is cut off")
        (count,) = unpack(content, at)
        first, at = at + 8, at + 8 + count * size
        if count < 0 or at > end:
            raise ValueError("it is cut off")
        places[key] = first, at
    return places

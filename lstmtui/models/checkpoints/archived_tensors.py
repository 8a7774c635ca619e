"""Tensors that lie in a file as plain numbers, described beside. No torch."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import numpy as np

from lstmtui.errors import UserError
from lstmtui.models.checkpoints.archive import Archive
from lstmtui.models.checkpoints.names import Entry
from lstmtui.printable import printable

if TYPE_CHECKING:
    from lstmtui.arrays import Array

ADVICE = "save model.state_dict() with torch.save, or as .safetensors"
TUPLE: Any = tuple.__new__
"""Makes a named tuple of a tuple; for each tensor, names of arguments would take as long as all the rest."""
_MOST_AXES = 32
"""Of numpy's arrays."""
_DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}


class ArchivedTensor(NamedTuple):
    """The location of one tensor's numbers."""

    dtype: str
    """F32, BF16 …; of other kinds the name that the archive has for it."""
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    """In numbers."""
    offset: int
    """Of its first number in the member, in numbers."""
    member: str
    """The name of what holds its numbers in the file; empty where they are not in it one by one."""

    def __setstate__(self, state: Any) -> NoReturn:
        raise ValueError("a description changes a tensor")

    @property
    def last(self) -> int:
        """Of its last number in the member."""
        return self.offset + sum((n - 1) * s for n, s in zip(self.shape, self.strides, strict=True))


class DescribedTensors(ABC):
    """The tensors of a file, whose descriptions the classes made of this one read.

    Args:
        path: the file.

    Raises:
        UserError: it is damaged.
    """

    kind = "PyTorch checkpoint"
    """What the file should be, in words."""

    def __init__(self, path: Path) -> None:
        self._path, self._name, self._is_big_endian = path, printable(path.name), False
        try:
            self._tensors = self._described()
        except (UserError, MemoryError):
            raise
        except Exception as error:  # the parsers of what is in it have errors of many kinds
            raise self._broken(_reason(error)) from None

    @property
    def tensors(self) -> Mapping[Entry, ArchivedTensor]:
        """Every tensor."""
        return self._tensors

    @property
    def cells(self) -> dict[str, str]:
        """The cell of a module by its path, where the file says it and no shape does."""
        return {}

    def read(self, entry: Entry) -> Array:
        """One tensor, copied; float32 where it is stored in half precision.

        Raises:
            UserError: its numbers are not in the file, or not one by one.
        """
        tensor, name = self._tensors[entry], printable(entry[1])
        kind = _DTYPES.get(tensor.dtype)
        if kind is None:
            raise UserError(f"{self._name}: {name} is of dtype {printable(tensor.dtype)}")
        count = math.prod(tensor.shape)
        span = tensor.last + 1 - tensor.offset if count else 0
        size = np.dtype(kind).itemsize
        is_spread_out = count * size > self._path.stat().st_size
        if is_spread_out or not tensor.member or len(tensor.shape) > _MOST_AXES:
            raise UserError(f"{self._name}: {name} is not stored as a whole tensor; {ADVICE}")
        start = tensor.offset * size
        try:
            content = self._numbers(tensor.member, start, start + span * size)
        except MemoryError:
            raise
        except Exception as error:  # whatever a damaged directory leads to
            raise self._broken(_reason(error)) from None
        if len(content) < span * size:
            raise self._broken(f"it ends within {name}")
        numbers = np.frombuffer(content, np.dtype(kind).newbyteorder(">" if self._is_big_endian else "<"))
        array = np.lib.stride_tricks.as_strided(numbers, tensor.shape, [size * n for n in tensor.strides])
        if tensor.dtype == "BF16":
            return (array.astype(np.uint32) << 16).view(np.float32)
        return array.astype(np.float32 if tensor.dtype == "F16" else kind)

    @abstractmethod
    def _described(self) -> dict[Entry, ArchivedTensor]:
        """The tensors by name.

        Raises:
            KeyError: a member is missing.
            ValueError: the description is not one; a sentence.
        """

    @abstractmethod
    def _numbers(self, member: str, start: int, end: int) -> bytes:
        """The bytes of a member from `start` to `end`, fewer where it has not so many."""

    def _broken(self, reason: str) -> UserError:
        return UserError(f"{self._name} is not a readable {self.kind}: {printable(reason)[:160]}")


class ArchivedTensors(DescribedTensors):
    """The tensors of a zip archive.

    Args:
        path: the file.
        archive: what is in it.

    Raises:
        UserError: it is damaged.
    """

    def __init__(self, path: Path, archive: Archive) -> None:
        self._archive = archive
        super().__init__(path)

    def _numbers(self, member: str, start: int, end: int) -> bytes:
        self._is_big_endian = self._archive.is_big_endian
        return self._archive.read(member, start, end)


def _reason(error: Exception) -> str:
    return str(error.args[0] if isinstance(error, KeyError) and error.args else error) or "it is damaged"


def checked_sizes(values: Any) -> tuple[int, ...]:
    """The sizes that an archive claims.

    Raises:
        ValueError: they are none.
    """
    if isinstance(values, (tuple, list)) and len(values) <= 64:
        for n in values:
            if type(n) is not int or not 0 <= n < 1 << 40:
                break
        else:
            return tuple(values)
    raise ValueError("a tensor's shape is not valid")

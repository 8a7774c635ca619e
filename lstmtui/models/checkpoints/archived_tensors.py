"""Tensors that lie in a zip archive as plain numbers, described beside. No torch."""

from __future__ import annotations

import math
import zipfile
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from lstmtui.errors import UserError
from lstmtui.models.checkpoints.names import Entry
from lstmtui.printable import printable

if TYPE_CHECKING:
    from lstmtui.arrays import Array

_DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}


@dataclass(frozen=True)
class ArchivedTensor:
    """The location of one tensor's numbers."""

    dtype: str
    """F32, BF16 …; of other kinds the name that the archive has for it."""
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    """In numbers."""
    offset: int
    """Of its first number in the member, in numbers."""
    member: str
    """The name of the member that holds its numbers."""

    def __setstate__(self, state: Any) -> NoReturn:
        raise ValueError("a description changes a tensor")

    @property
    def last(self) -> int:
        """Of its last number in the member."""
        return self.offset + sum((n - 1) * s for n, s in zip(self.shape, self.strides, strict=True))


class ArchivedTensors(ABC):
    """The tensors of an archive, whose descriptions the classes made of this one read.

    Args:
        path: a zip file.

    Raises:
        UserError: it is damaged.
    """

    kind = "archive"
    """What the file should be, in words."""

    def __init__(self, path: Path) -> None:
        self._path, self._name = path, printable(path.name)
        try:
            with zipfile.ZipFile(path) as archive:
                # Everything is in one folder, which is called as the file was when it was written.
                self._tensors = self._described(archive, archive.namelist()[0].partition("/")[0] + "/")
        except (UserError, MemoryError):
            raise
        except (
            Exception
        ) as error:  # zipfile has errors of many kinds, and so have the parsers of what is in it
            raise self._broken(_reason(error)) from None

    @property
    def tensors(self) -> dict[Entry, tuple[str, tuple[int, ...]]]:
        """The dtype (F32, BF16 …) and shape of every tensor."""
        return {((), name): (tensor.dtype, tensor.shape) for name, tensor in self._tensors.items()}

    @property
    def cells(self) -> dict[str, str]:
        """The cell of a module by its path, where the file says it and no shape does."""
        return {}

    def read(self, entry: Entry) -> Array:
        """One tensor, copied; float32 where it is stored in half precision.

        Raises:
            UserError: its numbers are not in the file.
        """
        tensor, name = self._tensors[entry[1]], printable(entry[1])
        kind = _DTYPES.get(tensor.dtype)
        if kind is None:
            raise UserError(f"{self._name}: {name} is of dtype {printable(tensor.dtype)}")
        try:
            with zipfile.ZipFile(self._path) as archive:
                if archive.getinfo(tensor.member).file_size > self._path.stat().st_size:
                    raise ValueError("a tensor claims more bytes than the file has")
                content = archive.read(tensor.member)
            numbers = np.frombuffer(content, kind)
        except MemoryError:
            raise
        except Exception as error:  # zipfile has errors of many kinds, and so has each compression
            raise self._broken(_reason(error)) from None
        if math.prod(tensor.shape) and tensor.last >= numbers.size:
            raise self._broken(f"it ends within {name}")
        strides = tuple(stride * numbers.itemsize for stride in tensor.strides)
        array = np.lib.stride_tricks.as_strided(numbers[tensor.offset :], tensor.shape, strides)
        if tensor.dtype == "BF16":
            return (array.astype(np.uint32) << 16).view(np.float32)
        return array.astype(np.float32 if tensor.dtype == "F16" else kind)

    @abstractmethod
    def _described(self, archive: zipfile.ZipFile, folder: str) -> dict[str, ArchivedTensor]:
        """The tensors by name.

        Raises:
            KeyError: a member is missing.
            ValueError: the description is not one; a sentence.
        """

    def _broken(self, reason: str) -> UserError:
        return UserError(f"{self._name} is not a readable {self.kind}: {printable(reason)[:160]}")


def _reason(error: Exception) -> str:
    return str(error.args[0] if isinstance(error, KeyError) and error.args else error) or "it is damaged"


def checked_sizes(values: Any) -> tuple[int, ...]:
    """The sizes that an archive claims.

    Raises:
        ValueError: they are none.
    """
    if not isinstance(values, (tuple, list)) or len(values) > 8:
        raise ValueError("a tensor's shape is not valid")
    if not all(type(n) is int and 0 <= n < 1 << 40 for n in values):
        raise ValueError("a tensor's shape is not valid")
    return tuple(values)

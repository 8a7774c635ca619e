"""One array of a trace while it is being written: a `.npy` file that is filled block by block."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from lstmtui.arrays import Array
from lstmtui.errors import UserError
from lstmtui.python_parser import retried
from lstmtui.trace.summaries import RunningExtent, norms_of

BLOCK = 1 << 22
"""Bytes that are copied at a time."""


@contextmanager
def as_user_errors(place: Path) -> Iterator[None]:
    """Turn what the operating system refuses while a trace is written into a `UserError`."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{place}: cannot write the trace: {error.strerror}") from error


class ArrayFile:
    """A `.npy` file of its full size from the start, whose blocks are written in any order.

    The file is sparse: what was not written reads as 0 and takes no space. Blocks go through the file and
    never through a memory map, so that what is resident does not grow with the array. Threads may write
    different blocks at the same time.

    Args:
        file: where; the folders above it are made.
        shape: the whole shape; blocks lie along axis 0.
        dtype: any that is no object.
        extent: whether the extent of the values is kept up while they are written.
        norms: the file that gets the L2 norm of each block over its last axis, as float64; None: no norms.

    Raises:
        UserError: the disk is full, or the file cannot be written.
    """

    def __init__(
        self,
        file: Path,
        shape: tuple[int, ...],
        dtype: npt.DTypeLike,
        *,
        extent: bool = False,
        norms: ArrayFile | None = None,
    ) -> None:
        self.file, self.shape, self.dtype = file, tuple(int(n) for n in shape), np.dtype(dtype)
        if self.dtype.hasobject:
            raise ValueError(f"{file.name}: an array of objects cannot be saved")
        self.norms = norms
        self._extent = RunningExtent() if extent else None
        self._written: list[tuple[int, int]] = []
        self._lock = Lock()
        header = {"descr": np.lib.format.dtype_to_descr(self.dtype), "fortran_order": False}
        with as_user_errors(file):
            file.parent.mkdir(parents=True, exist_ok=True)
        with as_user_errors(file), file.open("wb") as stream:
            np.lib.format.write_array_header_1_0(stream, header | {"shape": self.shape})
            self._start = stream.tell()
            stream.truncate(self._start + self.dtype.itemsize * int(np.prod(self.shape, dtype=object)))

    @property
    def complete(self) -> int:
        """How many entries of axis 0 are written without a gap, from the first."""
        return self._written[0][1] if self._written and self._written[0][0] == 0 else 0

    @property
    def extent(self) -> Array | None:
        """(low, high, rms) of what was written, read from the file again where blocks were written twice."""
        if self._extent is None:
            return None
        if self._extent.stale:
            self._extent = RunningExtent()
            for start in range(0, len(self), self._block):
                self._extent.add(self.read(start, start + self._block))
        return np.array(self._extent.result)

    def __len__(self) -> int:
        return self.shape[0]

    def write(self, start: int, values: Array) -> None:
        """Put `values`, shape (n, …), at entries `start` to before `start + n` of axis 0.

        Raises:
            ValueError: they do not fit into the array.
            UserError: the disk is full, or the file cannot be written.
        """
        block = np.ascontiguousarray(values, dtype=self.dtype).reshape(np.shape(values))
        stop = start + len(block)
        if block.shape[1:] != self.shape[1:] or start < 0 or stop > len(self):
            raise ValueError(f"{self.file.name}: {block.shape} at {start} does not fit into {self.shape}")
        with as_user_errors(self.file), self.file.open("r+b", buffering=0) as stream:
            stream.seek(self._start + start * self._row)
            _write_all(stream, block)
        if self.norms is not None:
            self.norms.write(start, norms_of(block))
        with self._lock:
            again = any(first < stop and start < last for first, last in self._written)
            self._written = _joined([*self._written, (start, stop)])
            if self._extent is not None:
                self._extent.stale |= again
                self._extent.add(block)

    def write_all(self, values: Array) -> None:
        """Put the whole array, a block at a time."""
        if not self.shape:
            with as_user_errors(self.file), self.file.open("r+b", buffering=0) as stream:
                stream.seek(self._start)
                _write_all(stream, np.ascontiguousarray(values, dtype=self.dtype))
            return
        for start in range(0, len(self), self._block):
            self.write(start, values[start : start + self._block])

    def read(self, start: int, stop: int) -> Array:
        """A copy of entries `start` to before `stop` of axis 0; 0 where nothing was written."""
        count = max(0, min(stop, len(self)) - start)
        block = np.empty((count, *self.shape[1:]), self.dtype)
        with self.file.open("rb", buffering=0) as stream:
            stream.seek(self._start + start * self._row)
            view, done = block.reshape(-1).view(np.uint8).data, 0
            while done < len(view) and (size := stream.readinto(view[done:])):
                done += size
        return block

    def read_all(self) -> Array:
        """A copy of the whole array."""
        whole: Array = retried(lambda: np.load(self.file, allow_pickle=False))
        return whole

    def flush(self) -> None:
        """Wait until everything is on disk."""
        with as_user_errors(self.file), self.file.open("r+b") as stream:
            os.fsync(stream.fileno())

    @property
    def _row(self) -> int:
        """Bytes of one entry of axis 0."""
        return self.dtype.itemsize * int(np.prod(self.shape[1:], dtype=object))

    @property
    def _block(self) -> int:
        """Entries of axis 0 that are copied at a time."""
        return max(1, BLOCK // max(1, self._row))


def _write_all(stream: BinaryIO, block: Array) -> None:
    """An unbuffered file may take less than it is given."""
    view = block.reshape(-1).view(np.uint8).data
    while view:
        view = view[stream.write(view) :]


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same entries in as few spans as possible, in order."""
    joined: list[tuple[int, int]] = []
    for start, stop in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(stop, joined[-1][1]))
        else:
            joined.append((start, stop))
    return joined

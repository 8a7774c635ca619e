"""Arrays on disk that are mapped into memory, or read if they are small, when they are first asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote
from weakref import WeakSet

import numpy as np

from lstmtui.arrays import Array
from lstmtui.errors import UserError
from lstmtui.python_parser import retried
from lstmtui.trace.lease import Lease

SMALL = 1 << 14
"""Bytes of an array that is read as a whole."""
MOST_MAPPED = 256
"""Arrays that are mapped at once: each map holds a file descriptor, of which a process often has 1,024."""

mapped = WeakSet[Any]()
"""The maps that are in use."""


def file_of(key: str) -> str:
    """The path of an array below the folder of its model; a parameter's name may hold any character."""
    kind, _, name = key.partition("/")
    if kind in ("parameters", "parameter_gradients"):
        return f"{kind}/{quote(name, safe='')}.npy"
    return quote(key, safe="/") + ".npy"


class LazyArrays(Mapping[str, Array]):
    """The arrays of one model, each read or mapped into memory when first asked for.

    Args:
        folder: of their files.
        known: {key: {"shape": [...], "dtype": ...}}, as in the manifest.
        growing: whether files may have more timesteps than are to be read.
        lease: keeps the folder on disk as long as this lives.
    """

    def __init__(
        self, folder: Path, entries: Mapping[str, Any], *, growing: bool = False, lease: Lease | None = None
    ) -> None:
        self._folder, self._entries, self._growing, self._lease = folder, entries, growing, lease
        self._open = dict[str, Array]()

    def __getitem__(self, key: str) -> Array:
        if key not in self._open:
            self._open[key] = self._read(key, self._entries[key])
        return self._open[key]

    def __contains__(self, key: object) -> bool:
        return key in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, arrays: Mapping[str, Array]) -> None:
        """Give arrays that have no file of their own."""
        self._entries = {**self._entries, **arrays}
        self._open |= arrays

    def read_all(self) -> None:
        """Read or map every array now: they then stay readable when the trace on disk is replaced."""
        for key in self._entries:
            _ = self[key]
        self._lease = None

    def _read(self, key: str, expected: Any) -> Array:
        file = self._folder / file_of(key)
        try:
            array = retried(lambda: _open(file, empty=0 in expected["shape"]))
            if self._growing and array.ndim and len(array) > expected["shape"][0]:
                array = array[: expected["shape"][0]]
            fits = list(array.shape) == expected["shape"] and array.dtype.str == expected["dtype"]
            if not fits or array.dtype.kind not in "biuf":
                raise ValueError(f"it holds {array.dtype} {array.shape}, not what the trace says")
        except Exception as error:  # numpy evaluates the header as Python, and raises whatever comes of it.
            raise UserError(f"{file}: damaged: {error}") from error
        return array


def _open(file: Path, *, empty: bool) -> Array:
    """An array of a `.npy` file that cannot be written to."""
    if empty:  # there is nothing to map
        with file.open("rb") as stream:
            return np.lib.format.read_array(stream, allow_pickle=False)
    array = np.lib.format.open_memmap(file, mode="r")
    if array.nbytes > SMALL and len(mapped) < MOST_MAPPED:
        mapped.add(array.base)
        return array
    own = np.array(array)
    own.flags.writeable = False
    return own

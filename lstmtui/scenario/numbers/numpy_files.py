"""Arrays from .npy and .npz files, without unpickling and without trusting the sizes they declare."""

from __future__ import annotations

import math
import warnings
import zipfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from lstmtui.closest import closest
from lstmtui.python_parser import retried
from lstmtui.scenario.files import open_file
from lstmtui.scenario.limits import MAX_DATA
from lstmtui.scenario.problem import one_of, short, shown
from lstmtui.scenario.report import DataError
from lstmtui.wording import counted

if TYPE_CHECKING:
    from lstmtui.arrays import Array

_CHUNK = 1 << 24


def read_npy(path: Path) -> Array:
    """The array of a .npy file, as it is stored.

    Raises:
        DataError: the file is broken, or does not hold an array of numbers.
    """
    file, size = open_file(path)
    with file:
        try:
            return _read_array(file, size)
        except OSError:
            raise DataError(f"{short(path.name)} cannot be read") from None


def read_npz(path: Path, name: str | None) -> Array:
    """One array of a .npz file, as it is stored.

    Args:
        path: the file.
        name: of the array; may be left out where there is only one.

    Raises:
        DataError: the file is broken, or does not hold that array.
    """
    file, _ = open_file(path)
    try:
        with file, zipfile.ZipFile(file) as archive:
            member = archive.getinfo(choose(archive.namelist(), name, ".npy"))
            if member.file_size > MAX_DATA * 8 + (1 << 16):
                raise DataError(f"the array has {member.file_size:,} bytes", f"at most {MAX_DATA * 8:,}")
            with archive.open(member) as stored:
                return _read_array(stored, member.file_size)
    except (DataError, MemoryError):
        raise
    except Exception:  # Each compression has errors of its own, and zipfile has several.
        raise DataError(f"{short(path.name)} is not a readable .npz file: damaged, or encrypted") from None


def choose(stored: list[str], name: str | None, suffix: str = "") -> str:
    """The stored name that is meant by `array = "…"`.

    Raises:
        DataError: there is none of that name, or several to choose from.
    """
    names = [entry.removesuffix(suffix) for entry in stored]
    if name is None and len(names) == 1:
        return stored[0]
    if name in names:
        return stored[names.index(name)]
    listed = one_of(short(entry) for entry in names[:20])
    if name is None:
        raise DataError(
            f"the file holds {counted(len(names), 'array')}", f'choose with array = "…"; {listed}'
        )
    raise DataError(f"the file holds no array {shown(name)}", listed, short(closest(name, names)))


def _read_array(file: IO[bytes], size: int) -> Array:
    """Read an array in the .npy format from a file of `size` bytes."""
    import numpy as np

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            start = file.tell()
            shape, is_fortran, dtype = retried(lambda: _read_header(file, start))
    except OSError:
        raise
    except Exception as error:  # numpy evaluates the header as Python, and raises whatever comes of it.
        raise DataError("the header of the array is broken") from error
    if dtype.kind not in "biuf":
        raise DataError(f"the array holds {short(str(dtype))}", "allowed: integers, floats, booleans")
    if any(isinstance(n, bool) or n < 0 for n in shape) or (count := math.prod(shape)) > MAX_DATA:
        raise DataError(f"the array has shape {short(str(shape))}", f"at most {MAX_DATA:,} numbers")
    needed = count * dtype.itemsize
    if needed > size:
        raise DataError(f"the array is cut off: {needed:,} bytes of numbers, the file has {size:,}")
    data = _read_exactly(file, needed)
    array = np.frombuffer(data, dtype=dtype)
    return array.reshape(shape, order="F" if is_fortran else "C")


def _read_header(file: IO[bytes], start: int) -> Any:
    """The shape, the order and the dtype that the header of an array claims."""
    from numpy.lib import format as npy

    file.seek(start)
    version = npy.read_magic(file)
    read_header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[version]
    return read_header(file, max_header_size=10_000)


def _read_exactly(file: IO[bytes], needed: int) -> bytearray:
    data = bytearray()
    while len(data) < needed:
        chunk = file.read(min(_CHUNK, needed - len(data)))
        if not chunk:
            raise DataError(f"the array is cut off after {len(data):,} of {needed:,} bytes")
        data += chunk
    return data

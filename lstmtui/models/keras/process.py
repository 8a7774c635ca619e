"""Files of Keras read in a process of their own, as HDF5's library crashes on some damaged ones. No torch."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import IO

from lstmtui.errors import UserError
from lstmtui.libraries import require_library
from lstmtui.models.file_reading import FileKind, answer_apart, read_apart
from lstmtui.models.keras.file import keras_file
from lstmtui.models.keras.layers import KerasWeights, keras_weights
from lstmtui.models.limited_process import run_python
from lstmtui.models.plain_transfer import read_plain, write_plain
from lstmtui.printable import printable

SECONDS = 60
"""How long reading may take, and one second more for each 10 MiB of the file."""
MEMORY = 4 << 30
"""Bytes of address space that the process may have, and four times the file's size."""
_KIND = FileKind("file of Keras", "h5py")
_CHILD = (
    "import sys; path, memory, *sys.path = sys.argv[1:]; "
    "from lstmtui.models.keras.process import answer; sys.exit(answer(path, int(memory)))"
)


def read_keras(path: Path) -> KerasWeights:
    """The weights of a .keras or .h5 file.

    Raises:
        UserError: the file cannot be read, or its reader crashed, hung or asked for too much memory; h5py is
            not installed.
    """
    require_library("h5py")
    return read_apart(path, _KIND, _run, (SECONDS, MEMORY), _read)


def answer(path: str, memory: int) -> int:
    """What the other process does; see `answer_apart`."""
    return answer_apart(Path(path), _KIND, memory, lambda out: _write(out, Path(path)))


def _write(out: IO[bytes], path: Path) -> None:
    try:
        weights = keras_weights(keras_file(path))
    except UserError as error:
        raise UserError(f"{printable(path.name)} {error}") from None
    except OSError:
        raise _KIND.unreadable(printable(path.name), "it is damaged or of another kind") from None
    write_plain(out, asdict(weights))


def _read(content: bytes) -> KerasWeights:
    try:
        return KerasWeights(**read_plain(content))
    except TypeError as error:
        raise ValueError(f"not what was written: {error}") from error


def _run(arguments: Sequence[str], seconds: float) -> subprocess.CompletedProcess[bytes]:
    """Call :func:`answer` in a process that imports from where this one does."""
    return run_python(_CHILD, arguments, seconds)

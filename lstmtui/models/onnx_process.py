"""ONNX models read in a process of their own, as the onnx package crashes on some damaged files. No torch."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from lstmtui.errors import UserError
from lstmtui.libraries import require_library
from lstmtui.models.limited_process import FINE, REFUSED, death, limit_memory, run_python
from lstmtui.models.onnx_file import onnx_file
from lstmtui.models.onnx_layer import OnnxFile
from lstmtui.models.onnx_transfer import read_file, write_file
from lstmtui.printable import printable

SECONDS = 60
"""How long reading may take, and one second more for each 10 MiB of the file."""
MEMORY = 4 << 30
"""Bytes of address space that the process may have, and four times the file's size."""

_CHILD = (
    "import sys; path, memory, *sys.path = sys.argv[1:]; "
    "from lstmtui.models.onnx_process import answer; sys.exit(answer(path, int(memory)))"
)


def read_onnx_file(path: Path) -> OnnxFile:
    """The recurrent layers of an ONNX model; see `onnx_file.onnx_file`, which another process calls.

    Raises:
        UserError: the file cannot be read, or its reader crashed, hung or asked for too much memory; the
            `onnx` package is not installed.
    """
    require_library("onnx")
    name, size = printable(path.name), path.stat().st_size
    seconds = SECONDS + size // (10 << 20)
    try:
        ended = _run([str(path), str(MEMORY + 4 * size)], seconds)
    except subprocess.TimeoutExpired:
        raise UserError(f"{name}: reading it was given up after {seconds} seconds") from None
    except OSError as error:
        why = (error.strerror or "").lower()
        raise UserError(f"{name}: cannot be read, as no process can be started for it: {why}") from None
    if ended.returncode == REFUSED:
        raise UserError(ended.stdout.decode("utf-8", "replace"))
    if ended.returncode == FINE:
        with suppress(ValueError, OSError):
            return read_file(ended.stdout)
    raise UserError(
        f"{name} is not a readable ONNX model: the onnx package failed on it ({death(ended.returncode)})"
    )


def answer(path: str, memory: int) -> int:
    """What the other process does: read the model within its limits, and write what is in it to stdout.

    Returns:
        the exit status: 0, or 2 where stdout has the reason that there are no layers.
    """
    limit_memory(memory)
    with os.fdopen(os.dup(1), "wb") as out:
        os.dup2(2, 1)  # What a library prints does not get into the answer.
        name = printable(Path(path).name)
        try:
            file = onnx_file(Path(path))
        except UserError as error:
            reason = str(error)
        except MemoryError:
            reason = f"{name}: takes more memory to read than a model of its size can need"
        except Exception as error:  # whatever a damaged file makes the onnx package stumble over
            reason = f"{name} is not a readable ONNX model: {type(error).__name__} in the onnx package"
        else:
            write_file(out, file)
            return FINE
        out.write(reason.encode("utf-8", "replace"))
        return REFUSED


def _run(arguments: Sequence[str], seconds: float) -> subprocess.CompletedProcess[bytes]:
    """Call :func:`answer` in a process that imports from where this one does."""
    return run_python(_CHILD, arguments, seconds)

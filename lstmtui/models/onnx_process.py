"""ONNX models read in a process of their own, as the onnx package crashes on some damaged files. No torch."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from lstmtui.errors import UserError
from lstmtui.libraries import require_library
from lstmtui.models.onnx_file import onnx_layers
from lstmtui.models.onnx_layer import OnnxLayer
from lstmtui.models.onnx_transfer import read_layers, write_layers
from lstmtui.printable import printable

SECONDS = 60
"""How long reading may take, and one second more for each 10 MiB of the file."""
MEMORY = 4 << 30
"""Bytes of address space that the process may have, and four times the file's size."""

_FINE, _REFUSED = 0, 2
_CHILD = (
    "import sys; path, memory, *sys.path = sys.argv[1:]; "
    "from lstmtui.models.onnx_process import answer; sys.exit(answer(path, int(memory)))"
)


def read_onnx_layers(path: Path) -> tuple[OnnxLayer, ...]:
    """The recurrent layers of an ONNX model; see `onnx_file.onnx_layers`, which another process calls.

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
    if ended.returncode == _REFUSED:
        raise UserError(ended.stdout.decode("utf-8", "replace"))
    if ended.returncode == _FINE:
        with suppress(ValueError, OSError):
            return read_layers(ended.stdout)
    raise UserError(
        f"{name} is not a readable ONNX model: the onnx package failed on it ({_death(ended.returncode)})"
    )


def answer(path: str, memory: int) -> int:
    """What the other process does: read the model within its limits, and write its layers to stdout.

    Returns:
        the exit status: 0, or 2 where stdout has the reason that there are no layers.
    """
    _limit(memory)
    with os.fdopen(os.dup(1), "wb") as out:
        os.dup2(2, 1)  # What a library prints does not get into the answer.
        name = printable(Path(path).name)
        try:
            layers = onnx_layers(Path(path))
        except UserError as error:
            reason = str(error)
        except MemoryError:
            reason = f"{name}: takes more memory to read than a model of its size can need"
        except Exception as error:  # whatever a damaged file makes the onnx package stumble over
            reason = f"{name} is not a readable ONNX model: {type(error).__name__} in the onnx package"
        else:
            write_layers(out, layers)
            return _FINE
        out.write(reason.encode("utf-8", "replace"))
        return _REFUSED


def _run(arguments: Sequence[str], seconds: float) -> subprocess.CompletedProcess[bytes]:
    """Call :func:`answer` in a process that imports from where this one does."""
    # -P: not from the current folder, where anybody may have put an onnx.py.
    command = [sys.executable, "-P", "-c", _CHILD, *arguments, *filter(None, sys.path)]
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        timeout=seconds,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},  # Nothing is multiplied there.
        check=False,
    )


def _limit(memory: int) -> None:
    """Bound what this process may take, where the system has such limits."""
    if sys.platform == "win32":
        return
    import resource

    for kind, most in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CORE, 0)):
        with suppress(OSError, ValueError):
            _, hard = resource.getrlimit(kind)
            resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _death(status: int) -> str:
    """How a process ended, in a word."""
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"status {status}"

"""ONNX models read in a process of their own, as the onnx package crashes on some damaged files. No torch."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from lstmtui.libraries import require_library
from lstmtui.models.file_reading import FileKind, answer_apart, read_apart
from lstmtui.models.limited_process import run_python
from lstmtui.models.onnx.file import onnx_file
from lstmtui.models.onnx.layer import OnnxFile
from lstmtui.models.onnx.transfer import read_file, write_file

_KIND = FileKind("ONNX model", "the onnx package")
SECONDS = 60
"""How long reading may take, and one second more for each 10 MiB of the file."""
MEMORY = 4 << 30
"""Bytes of address space that the process may have, and four times the file's size."""

_CHILD = (
    "import sys; path, memory, *sys.path = sys.argv[1:]; "
    "from lstmtui.models.onnx.process import answer; sys.exit(answer(path, int(memory)))"
)


def read_onnx_file(path: Path) -> OnnxFile:
    """The recurrent layers of an ONNX model; see `onnx_file.onnx_file`, which another process calls.

    Raises:
        UserError: the file cannot be read, or its reader crashed, hung or asked for too much memory; the
            `onnx` package is not installed.
    """
    require_library("onnx")
    return read_apart(path, _KIND, _run, (SECONDS, MEMORY), read_file)


def answer(path: str, memory: int) -> int:
    """What the other process does: read the model within its limits, and write what is in it to stdout.

    Returns:
        the exit status: 0, or 2 where stdout has the reason that there are no layers.
    """
    return answer_apart(Path(path), _KIND, memory, lambda out: write_file(out, onnx_file(Path(path))))


def _run(arguments: Sequence[str], seconds: float) -> subprocess.CompletedProcess[bytes]:
    """Call :func:`answer` in a process that imports from where this one does."""
    return run_python(_CHILD, arguments, seconds)

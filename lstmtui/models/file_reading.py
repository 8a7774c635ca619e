"""Files that a library reads in a process of its own, as it crashes on some damaged ones. No torch."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, TypeVar

from lstmtui.errors import UserError
from lstmtui.models.limited_process import Task, answer_of, answer_with, limit_memory
from lstmtui.printable import printable

T = TypeVar("T")


@dataclass(frozen=True)
class FileKind:
    """A kind of files, in words."""

    name: str
    """ONNX model."""
    library: str
    """What reads it: onnx."""

    def unreadable(self, file: str, why: str) -> UserError:
        """What is said of a file that is damaged."""
        return UserError(f"{file} {self._unreadable}: {why}")

    @property
    def task(self) -> Task:
        """To read one."""
        return Task(
            "reading",
            "read",
            f" {self._unreadable}: {self.library} failed on it",
            f" {self._unreadable}: {{}} in {self.library}",
            ": takes more memory to read than a model of its size can need",
        )

    @property
    def _unreadable(self) -> str:
        return f"is not a readable {self.name}"


def read_apart(
    path: Path,
    kind: FileKind,
    run: Callable[[Sequence[str], float], subprocess.CompletedProcess[bytes]],
    bounds: tuple[int, int],
    read: Callable[[bytes], T],
) -> T:
    """What another process reads in a file.

    Args:
        path: the file.
        kind: of file.
        run: starts the process with its arguments and seconds; it calls `answer_apart`.
        bounds: seconds, and one more for each 10 MiB of the file; bytes of address space, and four times the
            file's size.
        read: what the process wrote.

    Raises:
        UserError: the file cannot be read, or its reader crashed, hung or asked for too much memory.
    """
    name, size = printable(path.name), path.stat().st_size
    seconds = bounds[0] + size // (10 << 20)
    arguments = [str(path), str(bounds[1] + 4 * size)]
    return answer_of(name, kind.task, lambda: run(arguments, seconds), seconds, read)


def answer_apart(path: Path, kind: FileKind, memory: int, write: Callable[[IO[bytes]], None]) -> int:
    """What the other process does: read the file within its limits, and write what is in it to stdout.

    Args:
        path: the file.
        kind: of file.
        memory: bytes of address space.
        write: reads the file and writes what it holds.

    Returns:
        the exit status: 0, or 2 where stdout has the reason that there is nothing.
    """

    def work() -> Callable[[IO[bytes]], object]:
        content = BytesIO()
        write(content)
        return lambda out: out.write(content.getbuffer())

    limit_memory(memory)
    return answer_with(printable(path.name), kind.task, work)

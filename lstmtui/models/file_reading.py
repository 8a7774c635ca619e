"""Files that a library reads in a process of its own, as it crashes on some damaged ones. No torch."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, TypeVar

from lstmtui.errors import UserError
from lstmtui.models.limited_process import FINE, REFUSED, death, limit_memory
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
        return UserError(f"{file} is not a readable {self.name}: {why}")


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
    try:
        ended = run([str(path), str(bounds[1] + 4 * size)], seconds)
    except subprocess.TimeoutExpired:
        raise UserError(f"{name}: reading it was given up after {seconds} seconds") from None
    except OSError as error:
        why = (error.strerror or "").lower()
        raise UserError(f"{name}: cannot be read, as no process can be started for it: {why}") from None
    if ended.returncode == REFUSED:
        raise UserError(ended.stdout.decode("utf-8", "replace"))
    if ended.returncode == FINE:
        with suppress(ValueError, OSError):
            return read(ended.stdout)
    raise kind.unreadable(name, f"{kind.library} failed on it ({death(ended.returncode)})")


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
    limit_memory(memory)
    with os.fdopen(os.dup(1), "wb") as out:
        os.dup2(2, 1)  # What a library prints does not get into the answer.
        name, content = printable(path.name), BytesIO()
        try:
            write(content)
        except UserError as error:
            reason = str(error)
        except MemoryError:
            reason = f"{name}: takes more memory to read than a model of its size can need"
        except Exception as error:  # whatever a damaged file makes the library stumble over
            reason = str(kind.unreadable(name, f"{type(error).__name__} in {kind.library}"))
        else:
            out.write(content.getbuffer())
            return FINE
        out.write(reason.encode("utf-8", "replace"))
        return REFUSED

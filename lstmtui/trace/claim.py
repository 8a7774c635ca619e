"""The right to write to the directory of a trace; one writer at a time has it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Self

from lstmtui.errors import UserError
from lstmtui.trace.file_lock import is_fresh, is_same, lock, unlock

CLAIM = "claim.lock"
"""In the directory of a trace while somebody writes to it; a process that was killed leaves it unlocked."""
_TRIES = 100


class BusyError(UserError):
    """Another process or thread is writing to the directory."""


class Claim:
    """The right to write to a directory, from here until `release`.

    It is a lock on a file. What is left of a killed writer therefore stops nobody.

    Args:
        target: the directory, which must be there.

    Raises:
        BusyError: another writer, in this process or another, has it.
        FileNotFoundError: there is no such directory.
        OSError: nothing can be written there.
    """

    def __init__(self, target: Path) -> None:
        self._file = target / CLAIM
        for _ in range(_TRIES):
            written = is_fresh(self._file)
            stream = self._file.open("ab")
            locked = lock(stream.fileno())
            if locked is False or (locked is None and written):
                stream.close()
                break
            if is_same(self._file, stream.fileno()):
                self._stream = stream
                stream.truncate(0)
                stream.write(b"%d" % os.getpid())
                stream.flush()
                return
            stream.close()  # Its holder removed the file between the two calls.
        raise BusyError(
            f"{target}: {_holder(self._file)} is writing a trace there; wait for it, or choose another path"
        )

    def release(self) -> None:
        """Let others write; has no effect the second time."""
        if self._stream.closed:
            return
        with suppress(OSError):
            self._file.unlink()  # Windows cannot remove what is open; it then stays, unlocked.
        unlock(self._stream.fileno())
        self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _holder(file: Path) -> str:
    """Who writes, in words."""
    try:
        number = int(file.read_bytes()[:20])
    except (OSError, ValueError):
        return "another process"
    return "this process" if number == os.getpid() else f"process {number}"

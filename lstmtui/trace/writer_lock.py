"""Whether the process that writes a trace is still there: it holds a lock that the system lets go with it."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

if sys.platform != "win32":
    import fcntl

PATIENCE = 60.0
"""Seconds without a sign of life after which a writer counts as gone, where files cannot be locked."""


def hold(file: Path) -> BinaryIO:
    """Make the file and lock it until the stream is closed, which the end of the process does too."""
    stream = file.open("wb")
    if sys.platform != "win32":
        with suppress(OSError):  # Not every file system has locks; readers then go by the file's time.
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return stream


def beat(stream: BinaryIO) -> None:
    """A sign of life, for readers that cannot see the lock."""
    os.utime(stream.name)


def is_held(file: Path) -> bool:
    """Whether a living process holds the lock."""
    try:
        if sys.platform == "win32":
            return time.time() - file.stat().st_mtime < PATIENCE
        with file.open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    except OSError:
        return file.exists() and time.time() - file.stat().st_mtime < PATIENCE
    return False

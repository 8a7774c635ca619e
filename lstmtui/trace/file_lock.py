"""Locks on files, which the system takes back when their process ends, however it ends.

They hold between the processes of one machine. Whether they hold between machines is up to the file system
they share; where it has no locks at all, the time of a file tells whether its writer is still there. Two
machines are therefore not to write a trace to one path of such a file system.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import BinaryIO

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

PATIENCE = 60.0
"""Seconds without a sign of life after which a writer counts as gone, where files cannot be locked."""


def lock(descriptor: int, *, shared: bool = False) -> bool | None:
    """Lock an open file until it is closed, without waiting.

    Args:
        descriptor: of the file, or of a folder where the system is not Windows.
        shared: whether others may have such a lock too.

    Returns:
        False where another open file has the lock; None where the file system has no locks.
    """
    try:
        if sys.platform == "win32":
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return False if sys.platform == "win32" else None
    return True


def unlock(descriptor: int) -> None:
    """Give a lock back, also in the name of child processes that have the file open."""
    if sys.platform != "win32" and lock(descriptor):
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def hold(file: Path) -> BinaryIO:
    """Make the file and lock it until the stream is closed, which the end of the process does too."""
    stream = file.open("wb")
    if sys.platform != "win32":
        lock(stream.fileno())
    return stream


def beat(stream: BinaryIO) -> None:
    """A sign of life, for readers that cannot see the lock."""
    os.utime(stream.name)


def is_held(file: Path) -> bool:
    """Whether a living process holds the lock."""
    try:
        if sys.platform == "win32":
            return is_fresh(file)
        with file.open("rb") as stream:
            locked = lock(stream.fileno(), shared=True)
    except FileNotFoundError:
        return False
    except OSError:
        return is_fresh(file)
    return not locked if locked is not None else is_fresh(file)


def is_fresh(file: Path) -> bool:
    """Whether there is such a file, with a recent sign of life."""
    try:
        return time.time() - file.stat().st_mtime < PATIENCE
    except OSError:
        return False


def is_same(path: Path, descriptor: int) -> bool:
    """Whether the file or folder of this name is the one that was opened."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except OSError:
        return False

"""A lease of a reader on the data of a trace, which a writer that replaces the trace respects."""

from __future__ import annotations

import os
import shutil
import sys
import weakref
from contextlib import suppress
from pathlib import Path

from lstmtui.errors import UserError
from lstmtui.trace.claim import Claim
from lstmtui.trace.file_lock import is_same, lock
from lstmtui.trace.manifest import LIVE, MANIFEST, is_written, mark_of, names_data


class Lease:
    """Keeps a folder of data on disk as long as this object lives.

    It is a shared lock on the folder itself; nothing is written. Where folders cannot be locked (Windows,
    some network file systems) it keeps nothing, and what is replaced can be read no further.

    Args:
        target: the directory of the trace.
        data: the name of the folder in it.

    Raises:
        FileNotFoundError: the folder is gone, or is being removed.
    """

    def __init__(self, target: Path, data: str) -> None:
        if sys.platform == "win32":
            return
        mark, folder = mark_of(target / MANIFEST), target / data
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except NotADirectoryError:
            raise FileNotFoundError(str(folder)) from None
        if lock(descriptor, shared=True) is False or not is_same(folder, descriptor):
            os.close(descriptor)
            raise FileNotFoundError(str(folder))
        weakref.finalize(self, _end, descriptor, target, data, mark, os.getpid())


def remove_unread(folder: Path) -> None:
    """Remove a folder of data, unless a reader has a lease on it."""
    if sys.platform == "win32":
        shutil.rmtree(folder, ignore_errors=True)
        return
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            if lock(descriptor) is not False:
                shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(descriptor)


def _end(descriptor: int, target: Path, data: str, mark: object, process: int) -> None:
    """Whoever leaves data last that was replaced meanwhile removes it, as its writer could not."""
    os.close(descriptor)
    if os.getpid() != process or mark_of(target / MANIFEST) in (mark, None):
        return
    if any(names_data(target / name, data) for name in (MANIFEST, LIVE)) or is_written(target / data):
        return
    with suppress(OSError, UserError), Claim(target):
        remove_unread(target / data)

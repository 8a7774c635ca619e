"""Opens the files that a scenario names, and refuses those that cannot be read safely."""

from __future__ import annotations

import stat
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from lstmtui.closest import closest
from lstmtui.printable import printable
from lstmtui.scenario.problem import short
from lstmtui.scenario.report import DataError

TEXT_LIMIT = 512 << 20
"""The most bytes a .csv or .tsv file may have; it is read line by line."""
LONGEST_LINE = 16 << 20
"""The most characters of a line of such a file."""
CHARACTERS_LIMIT = 32 << 20
"""The most bytes a .txt file may have; it is read at once, which takes some 25 times as much memory."""


def file_size(path: Path, limit: int | None = None) -> int:
    """The size of a regular, non-empty file in bytes.

    Raises:
        DataError: it is missing, not a regular file, empty or larger than `limit`.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        raise DataError(f"no such file: {printable(str(path))}", "", _neighbour(path)) from None
    except (OSError, ValueError) as error:
        raise DataError(f"cannot be opened: {_reason(error)}") from None
    if stat.S_ISDIR(status.st_mode):
        raise DataError(f"is a folder, not a file: {printable(str(path))}")
    if not stat.S_ISREG(status.st_mode):
        raise DataError(f"is not a regular file: {printable(str(path))}")
    if status.st_size == 0:
        raise DataError(f"the file is empty: {printable(str(path))}")
    if limit is not None and status.st_size > limit:
        raise DataError(f"the file has {_size(status.st_size)}", f"at most {_size(limit)} are read")
    return status.st_size


def open_file(path: Path, limit: int | None = None) -> tuple[BinaryIO, int]:
    """Open a regular file: (file, size in bytes).

    Raises:
        DataError: it cannot be opened; see :func:`file_size`.
    """
    size = file_size(path, limit)
    try:
        return path.open("rb"), size
    except (OSError, ValueError) as error:
        raise DataError(f"cannot be opened: {_reason(error)}") from None


def read_text(path: Path, limit: int = CHARACTERS_LIMIT) -> str:
    """The text of a UTF-8 file, without a byte order mark and with \\n at the end of lines.

    Raises:
        DataError: it cannot be read, or is not UTF-8.
    """
    file, _ = open_file(path, limit)
    try:
        with file:
            data = file.read(limit + 1)
    except OSError as error:
        raise DataError(f"cannot be read: {_reason(error)}") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(f"line {line} is not UTF-8 text") from None
    return text.replace("\r\n", "\n")


def _neighbour(path: Path) -> str:
    """A file beside a missing one whose name it may misspell."""
    try:
        return short(closest(path.name, (entry.name for entry in islice(path.parent.iterdir(), 500))))
    except OSError:
        return ""


def _reason(error: Exception) -> str:
    return (error.strerror or "").lower() if isinstance(error, OSError) else "its name is not a file name"


def _size(count: int) -> str:
    return f"{count / (1 << 20):,.0f} MiB" if count >= 1 << 20 else f"{count:,} bytes"

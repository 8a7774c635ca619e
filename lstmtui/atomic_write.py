"""Files that are written whole or not at all: whoever reads one sees the old or the new one."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, cast

Write = Callable[[BinaryIO], object]


def write_atomically(
    target: Path, write: Write, *, draft: Path | None = None, mode: int = 0o666, durable: bool = False
) -> None:
    """Write a file whole, or leave what is there.

    Args:
        target: the file.
        write: is given the open file.
        draft: what is written first, beside it; left out: a name that nothing has.
        mode: the permissions of a new file, less the umask's.
        durable: wait until it is on disk, so that it outlives a crash of the machine.

    Raises:
        OSError: it cannot be written.
    """
    kind, path = ("xb", _unused(target)) if draft is None else ("wb", draft)
    try:
        with cast(BinaryIO, open(path, kind, opener=lambda name, flags: os.open(name, flags, mode))) as file:
            write(file)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        path.replace(target)
    except BaseException:
        with suppress(OSError):
            path.unlink()
        raise


def _unused(target: Path) -> Path:
    return target.with_name(f".{target.name}.{secrets.token_hex(4)}.new")

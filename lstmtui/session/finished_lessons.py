"""Which lessons have been read to the end, kept in the user's state directory."""

from __future__ import annotations

import json
import os
from pathlib import Path

from lstmtui.atomic_write import write_atomically
from lstmtui.state_directory import state_directory

MOST = 10_000
"""More are not kept."""
LARGEST_FILE = 1 << 22


def finished_lessons() -> frozenset[str]:
    """The absolute paths, links followed, of the scenarios whose lessons have been read to the end."""
    return frozenset(_read())


def keep_finished(scenario: str | Path) -> bool:
    """Remember that a lesson has been read to the end; False where that cannot be written."""
    path, names = _file(), _read()
    name = os.path.realpath(scenario)
    if name in names:
        return True
    text = json.dumps([*names, name][-MOST:], indent=1)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(path, lambda file: file.write(text.encode("ascii")), mode=0o600)
    except OSError:
        return False
    return True


def _file() -> Path:
    return state_directory() / "finished-lessons.json"


def _read() -> list[str]:
    """The paths of the finished scenarios; none if the file is not one that was written here."""
    path = _file()
    try:
        if not path.is_file() or path.stat().st_size > LARGEST_FILE:
            return []
        names = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return []
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []

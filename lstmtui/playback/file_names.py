"""The names of files that scripts write: only plain names below the folder they were given."""

from __future__ import annotations

from pathlib import PurePosixPath

from lstmtui.printable import printable
from lstmtui.session.verbs import VERBS

LONGEST_PART = 200
"""Bytes; file systems allow 255, and a draft has a longer name."""


def name_problem(verb: str, name: str) -> str:
    """Why a verb that writes a file may not write to this name, in a sentence; empty where it may."""
    path, suffixes = PurePosixPath(name), VERBS[verb].writes
    if printable(name) != name:
        return "a file name has no control characters"
    if path.is_absolute() or "\\" in name or ":" in name:
        return "a file is named relative to the output folder, with / between folders"
    if ".." in path.parts:
        return "a file lies within the output folder: .. leads out of it"
    if any(len(part.encode(errors="replace")) > LONGEST_PART for part in path.parts):
        return f"a file name has at most {LONGEST_PART} bytes"
    if name.endswith("/") or path.suffix.lower() not in suffixes:
        return f"the file name ends in {' or '.join(suffixes)}"
    return ""

"""Which files may be read for the text of code."""

from __future__ import annotations

import linecache
import os


def is_readable(file: str) -> bool:
    """Whether a file is a regular one, or none at all; to open a pipe or a device waits for what it holds."""
    return file in linecache.cache or os.path.isfile(file) or not os.path.exists(file)

"""Python's search for garbage, while very many objects are made that all stay."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_search() -> Iterator[None]:
    """Within this context, which is for code of our own alone, the collector does nothing."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def old_objects_aside() -> Iterator[None]:
    """Within this context the collector does not go through objects again and again that were there before.

    Recording makes objects so fast that it would, which takes longer than the recording itself.
    """
    if not gc.isenabled() or gc.get_freeze_count():
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()

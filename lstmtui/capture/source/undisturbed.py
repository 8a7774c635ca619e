"""Code of our own that goes through very many objects, which Python and PyTorch would look at each time."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from lstmtui.models.torch_compat import without_functions
from lstmtui.uncollected import uncollected

_MOST_NEW = 100_000
"""Objects that are made until garbage is searched for."""


@contextmanager
def undisturbed() -> Iterator[None]:
    """Within this context, which is for code of our own alone, no garbage is searched for, and no torch
    function mode takes part in what tensors are asked for."""
    with uncollected(), without_functions():
        yield


@contextmanager
def old_objects_aside() -> Iterator[None]:
    """Within this context the collector seldom searches, and not through objects that were there before.

    Recording makes objects so fast that it would do so again and again, which takes longer than the recording
    itself.
    """
    if not gc.isenabled() or gc.get_freeze_count():
        yield
        return
    most, *others = gc.get_threshold()
    gc.set_threshold(max(most, _MOST_NEW) if most else 0, *others)
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        gc.set_threshold(most, *others)

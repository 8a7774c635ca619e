"""Code of our own that goes through very many objects, which Python and PyTorch would look at each time."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from lstmtui.models.torch_compat import without_functions
from lstmtui.uncollected import uncollected


@contextmanager
def undisturbed() -> Iterator[None]:
    """Within this context, which is for code of our own alone, no garbage is searched for, and no torch
    function mode takes part in what tensors are asked for."""
    with uncollected(), without_functions():
        yield


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

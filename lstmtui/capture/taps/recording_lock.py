"""Recordings of the same module take turns, as each changes the module and then restores it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

_changed = threading.Condition()
_recorded_by: dict[int, int] = {}
"""The thread that records a module, by the module's id."""


@contextmanager
def recording_lock(root: nn.Module) -> Iterator[None]:
    """Within this context no other thread records a module that is part of `root`; waits until none does.

    A thread that records a module may do so again within.
    """
    thread, modules = threading.get_ident(), {id(module) for module in root.modules()}
    with _changed:
        _changed.wait_for(lambda: all(_recorded_by.get(m, thread) == thread for m in modules))
        own = [module for module in modules if module not in _recorded_by]
        _recorded_by.update(dict.fromkeys(own, thread))
    try:
        yield
    finally:
        with _changed:
            for module in own:
                del _recorded_by[module]
            _changed.notify_all()


def is_recording() -> bool:
    """Whether this thread is recording something."""
    with _changed:
        return threading.get_ident() in _recorded_by.values()

"""The device of tensors that name none: what `torch.set_default_device` says is for the user's own code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar

import torch

_default: ContextVar[torch.device | None] = ContextVar("default_device", default=None)


@contextmanager
def host_by_default() -> Iterator[None]:
    """Within this context tensors are made on the host, except in `users_default`."""
    own = torch.get_default_device()
    if own.type == "cpu":
        yield
        return
    token = _default.set(own)
    try:
        with torch.device("cpu"):
            yield
    finally:
        _default.reset(token)


def users_default() -> AbstractContextManager[object]:
    """Within this context they are made where the user has them made: for calls of the model."""
    return _default.get() or nullcontext()

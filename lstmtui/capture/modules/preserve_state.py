"""Leaves a user's module as it was before it ran."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from lstmtui.models.torch_compat import own_buffers


@contextmanager
def preserve_state(root: nn.Module) -> Iterator[None]:
    """Within this context a run changes copies; afterwards every attribute of every module is as before.

    Buffers (running statistics, the vectors of a spectral norm) are cloned for the run, so that the
    originals are never written to. Attributes, and what plain lists, dicts and sets among them hold, are put
    back; so is the type of each module. What the run writes into the parameters in place stays written.
    """
    modules = [m for m in root.modules() if not isinstance(m, torch.jit.ScriptModule)]
    saved = [(m, m.__class__, dict(vars(m)), _contents(m)) for m in modules]
    clones: dict[int, Tensor] = {}
    for module in modules:
        buffers = own_buffers(module)
        for name, buffer in buffers.items():
            if buffer is not None:
                buffers[name] = clones.setdefault(id(buffer), buffer.detach().clone())
    try:
        yield
    finally:
        for module, kind, attributes, contents in saved:
            if module.__class__ is not kind:
                object.__setattr__(module, "__class__", kind)
            _put_back(vars(module), attributes)
            for container, held in contents:
                _put_back(container, held)


def _contents(module: nn.Module) -> list[tuple[Any, Any]]:
    """The plain containers among the attributes of a module, each with a copy of what it holds."""
    kinds = (list, dict, set, OrderedDict)
    return [(value, value.copy()) for value in vars(module).values() if type(value) in kinds]


def _put_back(container: Any, held: Any) -> None:
    """What has not changed stays where it is: another thread may be calling the module."""
    if isinstance(container, list):
        container[:] = held
        return
    if isinstance(container, dict):
        for key in [key for key in container if key not in held]:
            del container[key]
        for key, value in held.items():
            if key not in container or container[key] is not value:
                container[key] = value
        if list(container) == list(held):
            return
    container.clear()
    container.update(held)

"""The user's modules inside torch.compile, DataParallel and DistributedDataParallel."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from lstmtui.capture.modules.arguments import moved
from lstmtui.models.torch_compat import compiled_module, is_compiler_loaded

_PARALLEL = (nn.DataParallel, nn.parallel.DistributedDataParallel)
_LOCK = threading.Lock()
_uncompiled: list[Any] = []
"""An entry for each context that is open; the first has what ends it for all."""


def inside(module: nn.Module) -> nn.Module | None:
    """The module that a wrapper wraps, or None where `module` is no wrapper."""
    if isinstance(module, _PARALLEL):
        inner: nn.Module = module.module
        return inner
    return compiled_module(module)


def unwrapped(module: nn.Module) -> nn.Module:
    """The user's own module, without what wraps it."""
    while (inner := inside(module)) is not None:
        module = inner
    return module


def place_of(module: nn.Module) -> torch.device | None:
    """The device that a parallel wrapper moves its inputs to; None where they stay where they are."""
    inner = inside(module)
    if inner is None:
        return None
    ids = module.device_ids if isinstance(module, _PARALLEL) else None
    first = next(inner.parameters(), None)
    return place_of(inner) if not ids or first is None else torch.device(first.device.type, ids[0])


def named_modules(root: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Like `nn.Module.named_modules`, with each module once and wrappers left out of list and paths."""
    seen: set[int] = set()

    def walk(path: str, module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
        module = unwrapped(module)
        if id(module) in seen:
            return
        seen.add(id(module))
        yield path, module
        for name, child in module.named_children():
            yield from walk(joined(path, name), child)

    yield from walk("", root)


def named_parameters(root: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Like `nn.Module.named_parameters`, with each parameter once and without wrappers in the names."""
    seen: set[int] = set()
    for path, module in named_modules(root):
        for name, parameter in module.named_parameters(recurse=False):
            if id(parameter) not in seen:
                seen.add(id(parameter))
                yield joined(path, name), parameter


def see_through(root: nn.Module) -> None:
    """Let the parallel wrappers inside a module call what they wrap, where it is.

    Nothing is scattered over devices, and nothing made ready for a reduction of gradients.
    """
    for wrapper in root.modules():
        if isinstance(wrapper, _PARALLEL):
            object.__setattr__(wrapper, "forward", partial(_called, wrapper.module, place_of(wrapper)))


def _called(module: nn.Module, place: torch.device | None, *args: Any, **kwargs: Any) -> Any:
    if place is not None:
        args, kwargs = moved(args, place), moved(kwargs, place)
    return module(*args, **kwargs)


def joined(path: str, name: str) -> str:
    """ "encoder.rnn" and "weight_hh_l0" as one name."""
    return f"{path}.{name}" if path else name


@contextmanager
def uncompiled() -> Iterator[None]:
    """Within this context whatever torch.compile has compiled runs as the Python it was made from.

    That holds for all threads, until the last of them that is in such a context leaves it.
    """
    if not is_compiler_loaded():
        yield
        return
    with _LOCK:
        _uncompiled.append(torch.compiler.set_stance("force_eager") if not _uncompiled else None)
    try:
        yield
    finally:
        with _LOCK:
            if len(_uncompiled) > 1:
                _uncompiled.pop()
            elif (stance := _uncompiled.pop()) is not None:
                stance.__exit__(None, None, None)

"""The states of the random generators that a model may use, saved and restored."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import nn

Restore = Callable[[], object]
_OWN = (torch.Generator, np.random.Generator, np.random.RandomState, random.Random)


class Generators:
    """The random generators of PyTorch on each device in use, of numpy, of Python and of the model.

    The model's own are those that its modules hold, that it is called with, or that its methods have as
    global names or closures, also in lists, tuples and dicts.

    Args:
        module: the model.
        arguments: what it is called with.
    """

    def __init__(self, module: nn.Module, arguments: Iterable[Any] = ()) -> None:
        objects = [*(vars(part) for part in module.modules()), *arguments, *_outside(module)]
        self._own = list({id(own): own for value in objects for own in _generators_in(value)}.values())
        self._restores = list(self._taken())

    @contextmanager
    def again(self) -> Iterator[None]:
        """Within this context, random numbers are drawn again as they were; afterwards they continue."""
        now = list(self._taken())
        _call(self._restores)
        try:
            yield
        finally:
            _call(now)

    def _taken(self) -> Iterator[Restore]:
        yield partial(torch.set_rng_state, torch.get_rng_state())
        yield partial(random.setstate, random.getstate())
        yield partial(np.random.set_state, np.random.get_state())
        if torch.cuda.is_available() and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
            yield partial(torch.cuda.set_rng_state_all, torch.cuda.get_rng_state_all())
        if torch.backends.mps.is_available():
            yield partial(torch.mps.set_rng_state, torch.mps.get_rng_state())
        yield from (_state_of(own) for own in self._own)


def _call(restores: Iterable[Restore]) -> None:
    for restore in restores:
        restore()


def _state_of(own: Any) -> Restore:
    if isinstance(own, torch.Generator):
        return partial(own.set_state, own.get_state())
    if isinstance(own, np.random.Generator):
        return partial(setattr, own.bit_generator, "state", own.bit_generator.state)
    if isinstance(own, np.random.RandomState):
        return partial(own.set_state, own.get_state())
    return partial(own.setstate, own.getstate())


def _outside(module: nn.Module) -> Iterator[Any]:
    """What the methods of the user's modules, and the functions that they name, find outside."""
    waiting = [
        value
        for kind in {kind for part in module.modules() for kind in type(part).__mro__}
        if kind.__module__.split(".")[0] not in ("torch", "builtins")
        for value in vars(kind).values()
        if isinstance(value, FunctionType)
    ]
    seen = set[int]()
    while waiting:
        function = waiting.pop()
        if id(function) in seen:
            continue
        seen.add(id(function))
        cells = [cell.cell_contents for cell in function.__closure__ or () if _is_filled(cell)]
        names = [function.__globals__.get(name) for name in _names(function.__code__)]
        for value in (*cells, *names):
            if isinstance(value, FunctionType) and value.__module__ == function.__module__:
                waiting.append(value)
            elif not isinstance(value, ModuleType):
                yield value


def _names(code: CodeType) -> Iterator[str]:
    """The global names and attributes of a function and of those within it."""
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _names(inner)


def _is_filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


def _generators_in(value: Any, depth: int = 3) -> Iterator[Any]:
    if isinstance(value, _OWN):
        yield value
    elif depth and type(value) in (dict, list, tuple):
        for inner in value.values() if type(value) is dict else value:
            yield from _generators_in(inner, depth - 1)

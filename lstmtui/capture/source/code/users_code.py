"""Which code objects are the user's, and which of them `source=` chooses."""

from __future__ import annotations

import gc
import os
import sysconfig
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from inspect import unwrap
from itertools import pairwise
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import nn

import lstmtui

What: TypeAlias = bool | str | type | Callable[..., Any] | ModuleType | nn.Module | Iterable[Any]
"""All of the user's code (True), or dotted names, classes, functions and modules, one or several."""

INSIDE = ("<frozen ", "<__array_function__", "<attrs generated", "<@beartype(")
"""How the file names of generated code begin that no user has written."""
_INSTALLED = frozenset({"site-packages", "dist-packages"})
_HELPERS = frozenset({"einops", "opt_einsum", "beartype", "jaxtyping", "typeguard"})
"""Packages whose functions put tensors in order for any framework, or check them, and know no time."""


class Selection:
    """Decides whether a code object is recorded.

    Args:
        what: `source=` as users write it; True is all of their code.

    Raises:
        TypeError: it is nothing that can be chosen.
    """

    def __init__(self, what: What = True) -> None:
        self.everything = what is True
        self.passed_over: Counter[str] = Counter()
        """The qualified names of the user's functions that ran but were not chosen, and how often."""
        self._names: list[str] = []
        self._codes: set[CodeType] = set()
        if what is not True:
            items = what if isinstance(what, (list, tuple, set, frozenset)) else (what,)
            for item in items:
                self._add(item)

    def wants(self, frame: FrameType) -> bool:
        """Whether the function of a frame that begins is one of those to record."""
        code = frame.f_code
        if self.everything:
            return is_users(frame)
        if code in self._codes:
            return True
        name = qualified(frame)
        if any(f".{own}." in f".{name}." for own in self._names):
            return True
        if is_users(frame):
            self.passed_over[name] += 1
        return False

    def counts(self, frame: FrameType) -> bool:
        """Whether calls of a function that is not recorded are to be counted, one by one."""
        return not self.everything and is_users(frame)

    def _add(self, item: Any) -> None:
        if isinstance(item, str) and item.strip("."):
            self._names.append(item.strip())
        elif isinstance(item, ModuleType):
            self._names.append(item.__name__)
        elif isinstance(item, type):
            self._codes |= set(_codes_of_class(item))
        elif isinstance(item, nn.Module):
            self._codes |= set(_codes_of_class(type(item)))
        elif codes := set(_codes_of(item)):
            self._codes |= codes
        else:
            raise TypeError(
                f"source: must be True, or name functions, classes or modules; {type(item).__name__} is none"
            )


def qualified(frame: FrameType) -> str:
    """The full name of the function of a frame: pkg.cells.MyCell.forward."""
    return f"{frame.f_globals.get('__name__', '')}.{frame.f_code.co_qualname}".lstrip(".")


def is_users(frame: FrameType) -> bool:
    """Whether the function of a frame is none of PyTorch's, numpy's, their helpers', Python's or ours."""
    name = frame.f_code.co_filename
    if name.startswith("<"):
        if name.startswith(INSIDE) or frame.f_code.co_qualname.startswith("__create_fn__."):
            return False  # what the import system, numpy, attrs and dataclasses make
        return not str(frame.f_globals.get("__name__", "")).startswith("namedtuple_")
    return not is_excluded(name)


def is_imported(frame: FrameType) -> bool:
    """Whether the lines of a module run because it is imported, not because a script is executed."""
    return bool(getattr(frame.f_globals.get("__spec__"), "_initializing", False))


def is_of_garbage(code: CodeType) -> bool:
    """Whether a function is a finalizer, one of `gc.callbacks`, or within one."""
    return code.co_name == "__del__" or any(
        own is code
        for callback in gc.callbacks
        for function in (callback, type(callback).__call__)
        for own in _codes_of(function)
    )


def writes_nothing(code: CodeType) -> bool:
    """Whether a function of torch's or the standard library's has no way to write into what it is given.

    So it is as long as it is called by a name that does not say so: `torch.relu`, and not `relu_`.
    """
    ways = {"out", "inplace"} & {*code.co_varnames}
    ways |= {name for name in code.co_names if name.endswith("_") and not name.endswith("__")}
    return not ways and is_excluded(code.co_filename)


@cache
def is_excluded(file: str) -> bool:
    """Whether a file belongs to PyTorch, numpy, a helper of theirs, the standard library or this package."""
    path = os.path.abspath(file)
    if any(path.startswith(folder + os.sep) for folder in _excluded()):
        return True
    installed = {package for folder, package in pairwise(Path(path).parts) if folder in _INSTALLED}
    if installed:
        return bool(_HELPERS & installed)
    return any(path.startswith(folder + os.sep) for folder in _standard_library())


@cache
def _excluded() -> tuple[str, ...]:
    files = [package.__file__ for package in (torch, np, lstmtui)]
    own = {os.path.dirname(os.path.abspath(file)) for file in files if file}
    return tuple(own | {os.path.realpath(folder) for folder in own})


@cache
def _standard_library() -> tuple[str, ...]:
    paths = {sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib")} - {None}
    return tuple(paths | {os.path.realpath(path) for path in paths})


def _codes_of_class(kind: type) -> Iterator[CodeType]:
    """Of the methods of a class, those too that it inherits from other classes of the user's."""
    for base in kind.__mro__:
        if base.__module__.split(".")[0] in ("torch", "builtins") and base is not kind:
            continue
        for value in vars(base).values():
            yield from _codes_of(value)


def _codes_of(item: Any) -> Iterator[CodeType]:
    """Of a function, whatever decorates it, and of the functions within it."""
    if isinstance(item, property):
        for part in (item.fget, item.fset, item.fdel):
            yield from _codes_of(part)
        return
    if isinstance(item, partial):
        item = item.func
    item = getattr(item, "__func__", item)
    if not callable(item):
        return
    try:
        item = unwrap(item)
    except ValueError:
        return  # It wraps itself.
    code = getattr(item, "__code__", None)
    if isinstance(code, CodeType):
        yield from _nested(code)


def _nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant)

"""Recurrent modules that are called somewhere in a process, and where they sit."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import torch
from torch import nn

from lstmtui.capture.modules.wrapped import joined, named_modules
from lstmtui.models.recurrent import Recurrent

_BASES: tuple[type[nn.Module], ...] = (nn.RNNBase, nn.RNNCellBase, Recurrent)
_LOCK = threading.Lock()
_meetings: list[Callable[[nn.Module], None]] = []


@contextmanager
def met(meet: Callable[[nn.Module], None]) -> Iterator[None]:
    """Within this context `meet` is called with every recurrent module that is about to be called.

    That holds for all threads, and for modules that are made meanwhile. Nothing else of a call changes.

    Args:
        meet: must not raise.
    """
    with _LOCK:
        if not _meetings:
            for base in _BASES:
                base.__call__ = _announced  # type: ignore[method-assign]
        _meetings.append(meet)
    try:
        yield
    finally:
        with _LOCK:
            _meetings.remove(meet)
            if not _meetings:
                for base in _BASES:
                    del base.__call__


def _announced(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
    """A call of a recurrent module, which its class inherits from `nn.Module` otherwise."""
    if not torch.compiler.is_compiling():
        for meet in tuple(_meetings):
            meet(self)
    return nn.Module.__call__(self, *args, **kwargs)


class Places:
    """The paths of modules, each recorded while the module is called."""

    def __init__(self) -> None:
        self.root: type[nn.Module] = nn.Module
        """The type of the first outermost module."""
        self._taken: set[str] = set()

    def add(self, module: nn.Module) -> str:
        """The path of a module that this thread is about to call.

        It is that in the outermost of the modules whose methods are running; where there is none but itself,
        the name of the variable or attribute that holds it. A path that another module has is preceded by the
        name of the outermost module, or followed by a number.
        """
        frames = list(_frames(sys._getframe(1)))
        roots = [own for frame in frames if issubclass(type(own := _first_argument(frame)), nn.Module)]
        root, path = module, ""
        for candidate in roots:
            inside = next((at for at, part in named_modules(candidate) if part is module), "")
            root, path = (candidate, inside) if inside else (root, path)
        if not self._taken:
            self.root = type(root)
        name = _variable(root, frames) or type(root).__name__.lower()
        own = path or name
        if own in self._taken:
            own = joined(name, path)
        number, first = 1, own
        while own in self._taken:
            number += 1
            own = f"{first}_{number}"
        self._taken.add(own)
        return own


def _frames(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _first_argument(frame: FrameType) -> Any:
    code = frame.f_code
    return frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None


def _variable(module: nn.Module, frames: list[FrameType]) -> str:
    """The name by which the nearest of the user's functions calls a module; empty where there is none."""
    for frame in frames:
        if str(frame.f_globals.get("__name__")).partition(".")[0] in ("torch", "lstmtui"):
            continue
        own = _first_argument(frame)
        for names in (frame.f_locals, getattr(own, "__dict__", {}), frame.f_globals):
            held = [str(name) for name, value in list(names.items()) if value is module and value is not own]
            if held and held[0].isidentifier():
                return held[0]
    return ""

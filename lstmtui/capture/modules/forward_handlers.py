"""Handlers called in place of a module's forward, added and taken away again without leaving a trace.

While a module has handlers its class is one that is made for it. Everything but `type(module)` says that it
still is what it was: `module.__class__`, `isinstance`, its copies and its pickles. Threads may add and remove
handlers in any order; the module gets its class back with the last of them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from typing import Any

import torch
from torch import nn

from lstmtui.capture.modules.interception import kind_of_class

Handler = Callable[[nn.Module, Callable[..., Any], tuple[Any, ...], dict[str, Any]], Any]
"""Called with the module, the forward it stands for, and the arguments of the call."""

_LOCK = threading.RLock()
_entries: dict[int, _Handled] = {}
"""By the id of the module, which is kept alive here."""
_set_class = object.__dict__["__class__"].__set__


@contextmanager
def handled(module: nn.Module, handler: Handler, *, whole: bool = False) -> Iterator[None]:
    """Within this context `handler` is called wherever the module's class would compute.

    The handler that was added last is called first, and the forward it is given calls the one before it. Of a
    recurrent module it is PyTorch's own forward, or ours, that is handled: what `super().forward(…)` of a
    subclass reaches. A forward that was put on the object itself is handled there.

    Args:
        module: whose calls are handled.
        handler: what is called.
        whole: of a subclass with a forward of its own, that one is handled.
    """
    if "forward" in vars(module):
        with _handled_on_the_object(module, handler):
            yield
        return
    with _LOCK:
        entry = _entries.setdefault(id(module), _Handled(module))
        entry.change((*entry.handlers, (handler, whole)))
    try:
        yield
    finally:
        with _LOCK:
            entry.change(tuple(other for other in entry.handlers if other[0] is not handler))
            if not entry.handlers:
                _entries.pop(id(module), None)


@contextmanager
def _handled_on_the_object(module: nn.Module, handler: Handler) -> Iterator[None]:
    own, active = vars(module)["forward"], True

    @wraps(own)
    def forward(*args: Any, **kwargs: Any) -> Any:
        is_handled = active and not torch.compiler.is_compiling()
        return handler(module, own, args, kwargs) if is_handled else own(*args, **kwargs)

    vars(module)["forward"] = forward
    try:
        yield
    finally:
        active = False
        if vars(module).get("forward") is forward:
            vars(module)["forward"] = own


class _Handled:
    """A module with handlers, and its original class."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.kind: type[nn.Module] = type(module)
        self.handlers: tuple[tuple[Handler, bool], ...] = ()

    def change(self, handlers: tuple[tuple[Handler, bool], ...]) -> None:
        """Take these handlers, and the class that calls them."""
        had, self.handlers = self.handlers, handlers
        if bool(had) != bool(handlers):
            _set_class(self.module, _class_of(self) if handlers else self.kind)

    def become(self, kind: type[nn.Module]) -> None:
        """Keep the class that somebody else gives the module, as parametrizations and FSDP do."""
        with _LOCK:
            self.kind = kind
            _set_class(self.module, _class_of(self) if self.handlers else kind)

    def call(
        self, which: tuple[bool, ...], module: nn.Module, forward: Callable[..., Any], args: Any, kwargs: Any
    ) -> Any:
        """What the class made for the module computes, by the handlers of the whole forward or the others."""
        # DataParallel makes replicas of this class; what else has it is a copy that is none of ours.
        if module is self.module or getattr(module, "_is_replica", False):
            for handler in (handler for handler, whole in self.handlers if whole in which):
                forward = _one_behind_another(handler, module, forward)
        return forward(*args, **kwargs)


def _one_behind_another(
    handler: Handler, module: nn.Module, forward: Callable[..., Any]
) -> Callable[..., Any]:
    return lambda *args, **kwargs: handler(module, forward, args, kwargs)


class _Unseen:
    """Hides the class that is made for a module."""

    _lstmtui_entry: _Handled

    def __init_subclass__(cls, **_: Any) -> None:
        """A user's class that keeps account of its subclasses does not hear of this one."""

    @property
    def __class__(self) -> type[Any]:
        return type(self)._lstmtui_entry.kind

    @__class__.setter
    def __class__(self, kind: type[Any]) -> None:
        entry = type(self)._lstmtui_entry
        if id(entry.module) == id(self):
            entry.become(kind)
        else:
            _set_class(self, kind)

    def __reduce_ex__(self, protocol: Any) -> Any:
        """As an object of the class it has otherwise."""
        reduced = super().__reduce_ex__(protocol)
        if isinstance(reduced, str):
            return reduced
        function, arguments, *rest = reduced
        kind = type(self)._lstmtui_entry.kind
        return function, tuple(kind if a is type(self) else a for a in arguments), *rest


def _class_of(entry: _Handled) -> type[nn.Module]:
    """A class like the module's own, whose forward calls the handlers."""
    own, kind = entry.kind, kind_of_class(entry.kind) or entry.kind
    names = {"__module__": own.__module__, "__qualname__": own.__qualname__, "_lstmtui_entry": entry}
    if own.forward is kind.forward:
        whole = {"forward": _forward_of(entry, own.forward, True, False)}
        return type(own.__name__, (_Unseen, own), names | whole)
    # Behind the subclass and before PyTorch's class in the order in which methods are looked up.
    inner = {"forward": _forward_of(entry, kind.forward, False), "__module__": kind.__module__}
    behind = type(kind.__name__, (kind,), inner)
    outer = {"forward": _forward_of(entry, own.forward, True)}
    return type(own.__name__, (_Unseen, own, behind), names | outer)


def _forward_of(entry: _Handled, own: Callable[..., Any], *which: bool) -> Callable[..., Any]:
    """A method in place of a forward, with the handlers of the whole of it (True) or of what is inside."""

    @wraps(own)
    def forward(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        if torch.compiler.is_compiling():  # a graph, which handlers have no place in
            return own(self, *args, **kwargs)
        return entry.call(which, self, partial(own, self), args, kwargs)

    return forward

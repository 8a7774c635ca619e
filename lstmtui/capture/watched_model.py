"""A ring of the latest steps of a model in a training loop, kept by hooks."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

from lstmtui.capture.interception import kind_of
from lstmtui.capture.watched_calls import WatchedStep
from lstmtui.capture.wrapped import named_modules, unwrapped

MOST_CALLS = 10_000
"""Calls of layers that are one step at most, where neither the model's forward nor gradients part them."""


class WatchedModel:
    """Hooks on a model, and what they keep.

    For each step: copies of x, of the initial states and of the recurrent layers' parameters, and their
    outputs and the gradients of these as they are. A step is one call of the model; where its layers are
    called from outside, calls without a backward pass between them.

    Args:
        model: whose recurrent modules are watched; wrappers are seen through.
        keep: how many steps are kept.
        before_next: called before each step but the first.

    Raises:
        TypeError: the model holds nothing recurrent.
    """

    def __init__(self, model: nn.Module, keep: int, before_next: Callable[[], None]) -> None:
        self._root = unwrapped(model)
        self.modules = {path: module for path, module in named_modules(model) if kind_of(module) is not None}
        if not self.modules:
            raise TypeError(f"{type(self._root).__name__} holds no LSTM, GRU, RNN or lstmtui.Recurrent")
        self.steps: deque[WatchedStep] = deque(maxlen=keep)
        self._before_next, self._count, self._inside = before_next, 0, False
        self._handles: list[RemovableHandle] = []

    @property
    def name(self) -> str:
        """The type of the model, as a trace names it."""
        kind = type(self._root)
        return f"{kind.__module__.split('.')[0]}.{kind.__name__}"

    def begin(self) -> None:
        """Hook into the model."""
        for path, module in self.modules.items():
            self._handles += [
                module.register_forward_pre_hook(never_compiled(self._began(path)), with_kwargs=True),
                module.register_forward_hook(never_compiled(self._ended)),
            ]
        if self._root not in self.modules.values():
            self._handles += [
                self._root.register_forward_pre_hook(never_compiled(self._enter)),
                self._root.register_forward_hook(never_compiled(self._leave), always_call=True),
            ]

    def end(self) -> None:
        """Leave the model as it was."""
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def _enter(self, module: nn.Module, args: Any) -> None:
        if not in_backward():
            self._next()
            self._inside = True

    def _leave(self, module: nn.Module, args: Any, result: Any) -> None:
        self._inside = False

    def _next(self) -> WatchedStep:
        if self._count:
            self._before_next()
        self.steps.append(WatchedStep(self._count))
        self._count += 1
        return self.steps[-1]

    def _began(self, path: str) -> Callable[..., None]:
        def began(module: nn.Module, args: Any, kwargs: Any) -> None:
            # What activation checkpoints call again on the way back belongs to a step that is there.
            if not in_backward():
                self._step().began(path, module, args, kwargs)

        return began

    def _ended(self, module: nn.Module, args: Any, result: Any) -> None:
        if not in_backward():
            self.steps[-1].ended(module, result)

    def _step(self) -> WatchedStep:
        """The step that a call belongs to."""
        if not self.steps:
            return self._next()
        now = self.steps[-1]
        # A model that is itself a layer over whole sequences: every call is one of the model.
        is_model = self._root in self.modules.values() and not isinstance(self._root, nn.RNNCellBase)
        parted = now.backward or len(now.calls) >= MOST_CALLS or (is_model and bool(now.calls))
        return self._next() if parted and not self._inside else now


def never_compiled(hook: Callable[..., None]) -> Callable[..., None]:
    """A hook that torch.compile leaves alone."""
    if "torch._dynamo" not in sys.modules:  # then nothing is compiled, and to import it takes seconds
        return hook
    disabled: Callable[..., None] = torch.compiler.disable(hook)  # type: ignore[no-untyped-call]
    return disabled


def in_backward() -> bool:
    """Whether autograd is running backward in this thread."""
    return bool(torch._C._current_graph_task_id() != -1)

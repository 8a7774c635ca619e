"""A ring of the latest steps of a model in a training loop."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

from torch import Tensor, nn

from lstmtui.capture.loss.backward_passes import heard
from lstmtui.capture.modules.forward_handlers import handled
from lstmtui.capture.modules.interception import check_forward, check_not_quantised, is_plain, kind_of
from lstmtui.capture.modules.wrapped import named_modules, uncompiled, unwrapped
from lstmtui.capture.origins.drawn_tensors import DrawnTensors
from lstmtui.capture.source.code.users_code import What
from lstmtui.capture.source.input_axes import UNSAID, InputAxes
from lstmtui.capture.steps.call_keeper import CallKeeper
from lstmtui.capture.steps.code_of_steps import CodeOfSteps
from lstmtui.capture.steps.watched_calls import WatchedStep
from lstmtui.capture.watching.drawn_in_steps import DrawnInSteps
from lstmtui.models.torch_compat import has_compiled, is_compiler_loaded, is_in_backward

MOST_CALLS = 10_000
"""Calls of layers that are one step at most, where neither the model's forward nor gradients part them."""


class WatchedModel(CallKeeper):
    """Handles a model's calls, and keeps them.

    For each step: copies of x, of the initial states and of the recurrent layers' parameters, and their
    outputs and the gradients of these as they are; and what its code bound, where that is recorded. A step is
    one call of the model; where its layers are called from outside, calls without a backward pass between
    them. Each thread has steps of its own.
    Whatever goes wrong in here is told to `trouble`, and the model goes on as if nobody watched.

    Args:
        model: whose recurrent modules are watched; wrappers are seen through.
        keep: how many steps are kept.
        before_next: called before each step but the first.
        trouble: called with what went wrong.
        source: what of its code is recorded, as `record` takes it.
        axes: which of the tensors that it is called with are time and the sequences, by source.

    Raises:
        TypeError: the model hides what it computes, or holds nothing recurrent and its code is not to be
            recorded; or `source` is nothing that can be chosen.
        ValueError: there is an axis of time, and nothing that it would be for.
    """

    def __init__(
        self,
        model: nn.Module,
        keep: int,
        before_next: Callable[[], None],
        trouble: Callable[[Exception], None],
        source: What | None = None,
        axes: InputAxes = UNSAID,
    ) -> None:
        super().__init__(trouble)
        self._root = unwrapped(model)
        self._code = CodeOfSteps(self._root, source, axes, self.attempt)
        self.modules = {path: module for path, module in named_modules(model) if kind_of(module) is not None}
        if not self.modules:
            check_forward("", self._root)
            check_not_quantised(self._root)
            if not self._code.is_recorded:
                raise TypeError(f"{type(self._root).__name__} holds no LSTM, GRU, RNN or lstmtui.Recurrent")
        self._drawn = DrawnInSteps(self.modules.values(), has_code=self.has_code)
        self.keep = keep
        self._before_next = before_next
        self._steps: deque[WatchedStep] = deque(maxlen=keep)
        self._count = 0
        self._open: list[WatchedStep] = []
        """The steps whose call of the model has not ended."""
        self._own = threading.local()
        """The latest step of this thread, and how many calls of the model it is in."""
        self._turn, self._lock = threading.RLock(), threading.Lock()
        self._handlers = ExitStack()
        self._uncompiled = False

    @property
    def name(self) -> str:
        """The type of the model, as a trace names it."""
        kind = type(self._root)
        return f"{kind.__module__.split('.')[0]}.{kind.__name__}"

    @property
    def has_code(self) -> bool:
        """Whether its code is recorded by source."""
        return self._code.is_recorded and self._has_layers

    @property
    def steps(self) -> list[WatchedStep]:
        """The kept steps, in order."""
        with self._lock:
            return list(self._steps)

    @property
    def compiled(self) -> bool:
        """Whether something was compiled by a torch.compile that came too late to be turned off."""
        return not self._uncompiled and has_compiled()

    @property
    def _has_layers(self) -> bool:
        """Whether the model's own forward calls layers, of which it may be one itself."""
        return not is_plain(self._root) and not isinstance(self._root, nn.RNNCellBase)

    def begin(self) -> None:
        """Take over the calls of the model."""
        try:
            # What is compiled hides what it computes.
            self._uncompiled = is_compiler_loaded()
            self._handlers.enter_context(uncompiled())
            self._handlers.enter_context(heard(self._hear))
            for path, module in self.modules.items():
                self._handlers.enter_context(handled(module, partial(self.layer_called, path)))
            if self._has_layers:
                self._handlers.enter_context(handled(self._root, self._model_called, whole=True))
        except BaseException:
            self.end()
            raise

    def end(self) -> None:
        """Leave the model as it was."""
        self._handlers.close()

    def remove(self, steps: list[WatchedStep]) -> None:
        """Keep these no longer."""
        with self._lock:
            for step in steps:
                if step in self._steps:
                    self._steps.remove(step)
        for step in steps:
            step.let_go()

    def layer_called(
        self,
        path: str,
        module: nn.Module,
        forward: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        result = super().layer_called(path, module, forward, args, kwargs)
        step: WatchedStep | None = getattr(self._own, "step", None)
        if step is not None:
            self._drawn.called(step)
        return result

    def _model_called(
        self, module: nn.Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        if is_in_backward() or self.is_passed_over():
            return forward(*args, **kwargs)
        step = self.attempt(self._next)
        if step is None:
            return forward(*args, **kwargs)
        outer, self._own.inside = getattr(self._own, "inside", False), True
        self._open.append(step)
        try:
            with self._drawn.followed(step):
                # A call of the model that it makes itself is part of the code of the outer one.
                if outer or not self.has_code:
                    return forward(*args, **kwargs)
                return self._code.run(step, partial(forward, *args, **kwargs), (args, kwargs))
        finally:
            self._own.inside = outer
            self._open.remove(step)

    def _hear(self, number: int, outer: int, loss: Tensor | None) -> None:
        """A backward pass is over, which may have come to any step."""
        for step in self.steps:
            step.losses.hear(number, outer, loss)

    def _next(self) -> WatchedStep:
        with self._turn:  # One thread at a time judges and writes.
            if self._count:
                self._before_next()
            latest: WatchedStep | None = getattr(self._own, "step", None)
            if latest is not None and latest.code is not None and latest.code.is_derived:
                latest.code.tracer.let_go_of_leaves()
            step = self._own.step = WatchedStep(self._count, threading.get_ident(), drawn=DrawnTensors())
            step.before = {} if latest is None else {**latest.before, **latest.last_states}
            self._count += 1
            with self._lock:
                oldest = [self._steps[0]] if len(self._steps) == self.keep else []
                self._steps.append(step)
            for old in oldest:
                old.let_go()
        return step

    def step_of_call(self) -> WatchedStep:
        """The step that a call which begins now belongs to."""
        now: WatchedStep | None = getattr(self._own, "step", None)
        if now is not None and getattr(self._own, "inside", False):
            return now
        if self._open and now is None:
            return self._open[-1]  # A thread that the model has started.
        if now is None:
            return self._next()
        # A model that is itself a layer over whole sequences: every call is one of the model.
        is_model = is_plain(self._root) and not isinstance(self._root, nn.RNNCellBase)
        parted = now.backward or len(now.calls) >= MOST_CALLS or (is_model and bool(now.calls))
        return self._next() if parted else now

"""Records what the user's code binds its names to, while it runs."""

from __future__ import annotations

import sys
import threading
from contextlib import ExitStack
from itertools import count
from types import CodeType, FrameType, TracebackType
from typing import Any, Self

from torch import nn

from lstmtui.capture.source.bindings import Binding, Call
from lstmtui.capture.source.code_facts import CodeFacts
from lstmtui.capture.source.tensors import Tensors
from lstmtui.capture.source.thread_tracer import ThreadTracer
from lstmtui.capture.source.users_code import Selection, What
from lstmtui.capture.wrapped import named_modules, uncompiled


class SourceTracer:
    """Within this context every name that the chosen functions bind to a tensor is recorded.

    Nothing of the run is changed: neither its numbers, nor the random numbers it draws, nor its tensors.
    Another trace function goes on hearing of everything. Threads that begin meanwhile are traced too.
    Derivatives come in until `release`, also after the context has ended. What goes wrong in here ends the
    recording, not the run: `failure` says it then.

    Args:
        root: the module whose parts have their paths as in `named_modules`.
        source: True for all code of the user's, or dotted names, functions, classes and modules.
        frame: a frame that runs already and is recorded too, such as the one with the context's `with`.

    Raises:
        TypeError: `source` is nothing that can be chosen.
    """

    def __init__(
        self, root: nn.Module | None = None, source: What = True, frame: FrameType | None = None
    ) -> None:
        self.selection = Selection(source)
        self.calls: list[Call] = []
        """In the order in which they began."""
        self.bindings: list[Binding] = []
        """In order."""
        self.failure: Exception | None = None
        """What went wrong in here, after which nothing more was recorded."""
        self.tensors, self.orders = Tensors(), count()
        self.facts: dict[CodeType, CodeFacts | None] = {}
        """What is known of each code object that ran; None where it is not recorded."""
        self.is_open = False
        self._frame = frame
        self._paths = {} if root is None else {id(module): path for path, module in named_modules(root)}
        self._modules: list[nn.Module] = []
        """Modules that are no part of the root, so that their ids stay theirs."""
        self._lock = threading.Lock()
        self._context = ExitStack()

    def __enter__(self) -> Self:
        """Begin."""
        self._context.enter_context(uncompiled())
        self.is_open = True
        own = ThreadTracer(self, sys.gettrace())
        if self._frame is not None:
            facts = CodeFacts(self._frame)
            self._frames_trace = self._frame.f_trace
            own.enter(self._frame, facts)
        self._own, self._threads = own, threading.gettrace()
        threading.settrace(self._thread_begins)
        sys.settrace(own.installed)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End, and put back whatever trace functions there were."""
        self.is_open = False
        if sys.gettrace() is self._own.installed:
            sys.settrace(self._own.other)
        if threading.gettrace() == self._thread_begins:
            threading.settrace(self._threads)
        if self._frame is not None:
            self._own.end(self._frame, self._frames_trace, error, traceback)
        self._context.close()
        self.tensors.settle()

    def release(self) -> None:
        """Take away what was left in the graph; no derivatives come in from here on."""
        self.tensors.settle()
        self.tensors.release()

    def fail(self, error: Exception) -> None:
        """Something went wrong in here: record no more."""
        self.is_open = False
        if self.failure is None:
            self.failure = error

    def facts_of(self, frame: FrameType) -> CodeFacts | None:
        """What is known of the code of a frame; None where it is not recorded."""
        try:
            is_wanted = self.selection.wants(frame)
            facts = CodeFacts(frame) if is_wanted else None
        except Exception as error:
            self.fail(error)
            return None
        if facts is not None or not self.selection.counts(frame):
            self.facts[frame.f_code] = facts
        return facts

    def new_call(self, code: CodeType, module: nn.Module | None, caller: Call | None) -> Call:
        """Take note that a function was called."""
        with self._lock:
            path = "" if module is None else self._path(module)
            call = Call(len(self.calls), code, code.co_qualname, module, path, caller)
            self.calls.append(call)
        return call

    def _path(self, module: nn.Module) -> str:
        path = self._paths.get(id(module))
        if path is None:
            path = self._paths[id(module)] = f"{type(module).__name__}"
            self._modules.append(module)
        return path

    def _thread_begins(self, frame: FrameType, event: str, argument: Any) -> Any:
        """The trace function that a thread begins with."""
        if not self.is_open:
            return None
        tracer = ThreadTracer(self, None if self._threads is None else self._threads)
        sys.settrace(tracer.installed)
        return tracer.trace(frame, event, argument)

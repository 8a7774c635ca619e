"""The trace function of one thread."""

from __future__ import annotations

import sys
from types import FrameType, TracebackType
from typing import Any

from torch import nn

from lstmtui.capture.source.code.code_facts import CodeFacts
from lstmtui.capture.source.code.users_code import is_imported
from lstmtui.capture.source.tracing.activation import Activation
from lstmtui.capture.source.tracing.collection import Collection, Unrecorded
from lstmtui.errors import Cancelled
from lstmtui.models.torch_compat import has_function_modes, is_in_backward, without_functions

_HARMLESS = Unrecorded.HARMLESS
MOST_LETTERS = 500
"""Of an exception's text."""


class ThreadTracer:
    """Traces the calls of one thread, and passes every event on to the trace function that was set before.

    Args:
        collection: what it adds to.
        other: the trace function that was there.
    """

    def __init__(self, collection: Collection, other: Any) -> None:
        self.collection = collection
        self.other = other
        self._stack: list[Activation] = []
        self._suspended: dict[int, tuple[FrameType, Activation]] = {}
        self._facts = collection.facts
        self._hears_instructions = False
        self._aside: FrameType | None = None
        """A module that is imported meanwhile, or what Python calls when it searches for garbage: neither its
        lines nor what they call are the run's."""

    @property
    def is_installed(self) -> bool:
        """Whether it is the trace function of this thread."""
        return getattr(sys.gettrace(), "__self__", None) is self

    def trace(self, frame: FrameType, event: str, argument: Any) -> Any:
        """The trace function of every call that begins."""
        is_harmless = self._facts.get(id(frame.f_code)) is _HARMLESS
        if is_harmless and self.other is None:
            return None  # as most calls are
        other = None
        if self.other is not None:
            other = self.other(frame, event, argument)
            if not self.is_installed and self.collection.is_open:
                sys.settrace(self.trace)  # coverage.py's puts itself there in C
        if event != "call" or self._aside is not None or not self.collection.is_open:
            return other
        if frame.f_code.co_name == "<module>" and is_imported(frame):
            return self.step_aside(frame, other)
        facts = self._facts.get(id(frame.f_code)) or self.collection.facts_of(frame)
        if facts is Unrecorded.OF_GARBAGE:
            return self.step_aside(frame, other)
        if facts is _HARMLESS or not self.collection.is_open:
            return other
        try:
            with without_functions():
                if self._stack:
                    self._stack[-1].catch_up()  # before anything is written into
                if facts is Unrecorded.PUTS_A_HOOK:
                    self.collection.tensors.note_hook(frame.f_locals.get("self"))
                activation = self._called(frame, facts) if isinstance(facts, CodeFacts) else None
        except Exception as error:
            self.collection.fail(error)
            return other
        if activation is None:
            return other
        activation.other = other
        return _Local(self, activation, frame).trace

    def enter(self, frame: FrameType, facts: CodeFacts) -> None:
        """Trace a frame that is running already."""
        call = self.collection.new_call(frame.f_code, None, None)
        activation = Activation(self.collection, facts, call)
        activation.other = frame.f_trace
        activation.frame = frame
        activation.enter(frame)
        self._stack.append(activation)
        frame.f_trace = _Local(self, activation, frame).trace

    def end(
        self, frame: FrameType, before: Any, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """The frame that ran already is left as it was; `error` is what ends the recording in it."""
        own = getattr(frame.f_trace, "__self__", None)
        if not isinstance(own, _Local) or not self._stack:
            return
        frame.f_trace, frame.f_trace_opcodes = before, own.of_others
        activation = self._stack[0]
        try:
            activation.leave(frame)
            if error is not None:
                activation.raised = error, frame.f_lineno if traceback is None else traceback.tb_lineno
                self._left(activation)
        except Exception as failure:
            self.collection.fail(failure)

    def _called(self, frame: FrameType, facts: CodeFacts) -> Activation | None:
        if facts.is_suspended:
            suspended = self._suspended.pop(id(frame), None)
            if suspended is not None and suspended[0] is frame:
                suspended[1].frame = frame
                self._stack.append(suspended[1])
                return suspended[1]
        if is_in_backward():
            return None
        caller = self._stack[-1] if self._stack else None
        if facts.is_comprehension and caller is not None:
            activation = Activation(self.collection, facts, caller.call, caller.passes)
        else:
            module = self._module(frame, facts, caller)
            call = self.collection.new_call(frame.f_code, module, None if caller is None else caller.call)
            if caller is not None:
                call.line, call.passes = caller.line, caller.passes
            activation = Activation(self.collection, facts, call)
        self._stack.append(activation)
        activation.frame = frame
        activation.begin(frame)
        return activation

    def _module(self, frame: FrameType, facts: CodeFacts, caller: Activation | None) -> nn.Module | None:
        """The module whose forward begins."""
        if facts.code.co_name != "forward" or not facts.arguments:
            return None
        first = frame.f_locals.get(facts.arguments[0])
        # A call of the class it inherits from is part of it, a call of itself another one.
        is_outermost = caller is None or caller.call.module is not first or caller.call.code is facts.code
        return first if isinstance(first, nn.Module) and is_outermost else None

    def step_aside(self, frame: FrameType, other: Any) -> _Aside:
        """A frame begins that is not the run's; returns its trace function."""
        self._aside = frame
        return _Aside(self, other)

    def hear_instructions(self) -> None:
        """A frame wants to hear of each, which some versions of Python see when a trace function is set."""
        if not self._hears_instructions and self.is_installed:
            self._hears_instructions = True
            sys.settrace(self.trace)

    def is_closed(self, activation: Activation, argument: Any) -> bool:
        """Whether an exception, its first event, has resumed a generator only to end it.

        It began before the recording, and Python ends it where it lets go of it, whatever runs: it is no call
        of the run, nor is what it calls then.
        """
        is_first = activation.facts.is_suspended and not activation.line
        if is_first and issubclass(argument[0], GeneratorExit) and self._stack[-1:] == [activation]:
            self._stack.pop()
            self.collection.forget(activation.call)
            return True
        return False

    def go_on(self) -> None:
        """That frame has ended."""
        self._aside = None

    def event(self, activation: Activation, frame: FrameType, event: str, argument: Any) -> None:
        """What happens in a frame that is traced."""
        if event == "line" or (event == "opcode" and frame.f_lasti in activation.facts.starts):
            activation.line_begins(frame)
        elif event == "exception":
            activation.exception(
                frame, argument[1] if isinstance(argument[1], BaseException) else argument[0]
            )
        elif event == "return":
            has_raised = activation.leave(frame)
            if activation in self._stack:
                del self._stack[self._stack.index(activation) :]
            if has_raised:
                self._left(activation)
            elif activation.facts.is_suspended:
                self._suspended[id(frame)] = frame, activation
            elif not activation.facts.is_comprehension:
                activation.returns(argument)

    def _left(self, activation: Activation) -> None:
        if activation.raised is None:
            return
        error, line = activation.raised
        call = activation.call
        try:
            text = " ".join(str(error).split())[:MOST_LETTERS]
        except Exception:
            text = ""
        call.raised = f"{type(error).__name__}: {text}" if text else type(error).__name__
        call.raised_line = line


class _Aside:
    """The trace function of a frame that is not the run's."""

    __slots__ = ("_other", "_thread")

    def __init__(self, thread: ThreadTracer, other: Any) -> None:
        self._thread, self._other = thread, other

    def __call__(self, frame: FrameType, event: str, argument: Any) -> Any:
        if self._other is not None:
            self._other = self._other(frame, event, argument)
        if event == "return":
            self._thread.go_on()
        return self


class _Local:
    """The trace function of one frame."""

    __slots__ = ("_activation", "_thread", "of_others")

    def __init__(self, thread: ThreadTracer, activation: Activation, frame: FrameType) -> None:
        self._thread, self._activation = thread, activation
        self.of_others = frame.f_trace_opcodes
        """Whether another tracer wants to hear of every instruction."""
        if activation.facts.starts:
            frame.f_trace = self.trace  # without which some versions of Python take no note of the next line
            frame.f_trace_opcodes = True
            thread.hear_instructions()

    def trace(self, frame: FrameType, event: str, argument: Any) -> Any:
        """What `sys.settrace` asks for: called with everything that happens in the frame."""
        activation = self._activation
        if event == "line" and activation.other is None:  # as nearly all are, and most need no more than this
            path = activation.path
            if not path.may_have_written and (longer := path.longer.get(frame.f_lasti)) is not None:
                activation.path = longer
                return self.trace
        thread = self._thread
        if event == "opcode" and not self.of_others and frame.f_lasti not in activation.facts.starts:
            return self.trace
        if activation.other is not None and (event != "opcode" or self.of_others):
            activation.other = activation.other(frame, event, argument)
        if not thread.collection.is_open:
            return activation.other
        if event == "exception" and thread.is_closed(activation, argument):
            return thread.step_aside(frame, activation.other)
        try:
            if has_function_modes():
                with without_functions():
                    thread.event(activation, frame, event, argument)
            else:
                thread.event(activation, frame, event, argument)
        except Cancelled:
            raise  # out of the user's code
        except Exception as error:
            thread.collection.fail(error)
        return self.trace

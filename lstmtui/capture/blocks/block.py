"""A block of somebody's code as one recording: what its recurrent modules did, as a trace."""

from __future__ import annotations

import sys
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import CodeType, TracebackType
from typing import Self

from torch import nn

from lstmtui.capture.blocks.block_calls import BlockCalls
from lstmtui.capture.blocks.step_trace import trace_of
from lstmtui.capture.reruns.replay import NO_BACKWARD_IN_BLOCK
from lstmtui.capture.source.code.users_code import Selection, What
from lstmtui.capture.source.input_axes import InputAxes
from lstmtui.capture.source.recorders.block_recorder import BlockRecorder
from lstmtui.capture.taps.recording_lock import is_recording
from lstmtui.errors import UserError
from lstmtui.printable import printable
from lstmtui.trace import Trace
from lstmtui.trace.directory import check_replaceable
from lstmtui.trace.storage import save

_LOSS, _LOSSES = (
    "the loss of the backward pass in the block",
    "the losses of the backward passes in the block, added up",
)


class Block:
    """A context manager round any code; see `lstmtui.recording`, which makes it.

    Args:
        path: where to write the trace; None: it is in memory.
        source: what to record by source; None: all code, unless a recurrent module is called.
        axes: which of tensors are time and the sequences, by source.
        name: of the trace; empty: the type of the first outermost module, or what the block is in.
    """

    def __init__(self, path: str | Path | None, source: What | None, name: str, axes: InputAxes) -> None:
        self.path = None if path is None else Path(path)
        """Where the trace is written."""
        if self.path is not None:
            check_replaceable(self.path)
        self._name, self._said = name, set[str]()
        self._calls = BlockCalls(self._trouble, self._recurrent_is_called)
        self._source, self._axes = source, axes
        Selection(source or True)  # which is refused here, before anything runs, where it is nothing
        self._code: BlockRecorder | None = None
        self._is_traced = self._is_dropped = False
        self._thread = threading.get_ident()
        self._is_begun = False
        self._trace: Trace | None = None
        self._why = "the block has not ended"

    @property
    def trace(self) -> Trace:
        """What was recorded, once the block has ended.

        Raises:
            UserError: it has not ended, or nothing was recorded; the message says why.
        """
        if self._trace is None:
            raise UserError(f"recording: there is no trace: {self._why}")
        return self._trace

    def __enter__(self) -> Self:
        """Begin to record.

        Raises:
            UserError: this thread is within `lstmtui.record`, or the block was entered before.
        """
        code = sys._getframe(1).f_code
        if is_recording():
            raise UserError("recording: this thread is inside lstmtui.record already; use one of the two")
        if self._is_begun:
            raise UserError("recording: this one was used already; make a new one by lstmtui.recording(…)")
        self._is_begun, self._thread = True, threading.get_ident()
        self._of_block = _name_of(code)
        self._calls.begin()
        if self._source is not False:
            what = True if self._source is None else self._source
            self._code = BlockRecorder(what, self._axes, sys._getframe(1), self._calls.places.add)
            self._code.tracer.note_drawn(self._calls.step.drawn)
            self._code.tracer.note_losses(self._calls.step.losses)
            self._calls.step.moment = self._code.tracer.moment
            self._code.tracer.__enter__()
            self._is_traced = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end_tracing(kind, error, traceback)
        if self._code is not None and self._is_dropped:
            self._code.tracer.release()
            self._code = None
        self._calls.end()
        try:
            self._finish(has_raised=error is not None)
        except Exception as failure:
            self._why = f"{type(failure).__name__}: {failure}"
            if error is None:
                raise
            # The user's own exception is what goes on.
            self._print_once(f"lstmtui.recording: {self._why}")

    def _recurrent_is_called(self) -> None:
        """Where that was left open, recurrent modules are recorded, and nothing by source."""
        if self._source is None and self._code is not None:
            self._is_dropped = True
            self._code.tracer.stop()
            if threading.get_ident() == self._thread:  # no other can take a trace function of this one away
                self._end_tracing(None, None, None)

    def _end_tracing(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._is_traced and self._code is not None:
            self._is_traced = False
            self._code.tracer.__exit__(kind, error, traceback)

    def _finish(self, *, has_raised: bool) -> None:
        places, code = self._calls.places, self._code
        try:
            trace = trace_of(
                self._calls.step,
                code,
                self._name or (self._of_block if places.root is nn.Module else places.root.__name__),
                why_absent=NO_BACKWARD_IN_BLOCK,
                loss_text=_LOSS if self._calls.step.losses.count == 1 else _LOSSES,
                has_raised=has_raised,
                parameters=None if code is None else code.parameters,
            )
        finally:
            if code is not None:
                code.release()
        if trace is None:
            self._why = self._nothing(code)
            if self.path is not None:
                self._print_once(f"lstmtui.recording: nothing is written to {self.path}: {self._why}")
            return
        root = places.root
        module = "" if root is nn.Module else f"{root.__module__.split('.')[0]}.{root.__name__}"
        self._trace = Trace(replace(trace.header, module=module), trace.arrays)
        self._calls.forget()
        self._code = None
        if self.path is not None:
            save(self._trace, self.path)

    def _nothing(self, code: BlockRecorder | None) -> str:
        """Why there is no trace."""
        why = "no LSTM, GRU, RNN, none of their Cells and no lstmtui.Recurrent was called in the block"
        if self._calls.unseen:
            why += (
                ", or only inside torch.func, torch.jit.trace, a torch.compile of the block's own, or on "
                "meta tensors, where there are no values"
            )
        return why if code is None else f"{why}; {code.refusal()}"

    def _trouble(self, error: Exception) -> None:
        """A call could not be kept; the others are."""
        self._print_once(f"lstmtui.recording: a call is left out: {type(error).__name__}: {error}")

    def _print_once(self, text: str) -> None:
        """Print a text to stderr once."""
        if text not in self._said:
            self._said.add(text)
            with suppress(OSError, ValueError, AttributeError):
                print(printable(text), file=sys.stderr)


def _name_of(code: CodeType) -> str:
    """The name of a function, or of the file of lines that are in none."""
    if code.co_name != "<module>":
        return code.co_name.strip("<>")
    stem = Path(code.co_filename).stem
    return stem if stem.isidentifier() else "block"

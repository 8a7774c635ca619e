"""A block of somebody's code as one recording: what its recurrent modules did, as a trace."""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from lstmtui.capture.block_calls import BlockCalls
from lstmtui.capture.recording_lock import is_recording
from lstmtui.capture.replay import replayed
from lstmtui.errors import UserError
from lstmtui.printable import printable
from lstmtui.trace import Trace
from lstmtui.trace.directory import check_replaceable
from lstmtui.trace.storage import save

LOSS_TEXT = "the losses of the backward passes in the block, added up"


class Block:
    """A context manager round any code; see `lstmtui.recording`, which makes it.

    Args:
        path: where to write the trace; None: it is in memory.
        name: of the trace; empty: the type of the first outermost module.
    """

    def __init__(self, path: str | Path | None, name: str) -> None:
        self.path = None if path is None else Path(path)
        """Where the trace is written."""
        if self.path is not None:
            check_replaceable(self.path)
        self._name, self._said = name, set[str]()
        self._calls = BlockCalls(self._trouble)
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
        if is_recording():
            raise UserError(
                "recording: lstmtui.record is at work in this thread; record all of it, or the block alone"
            )
        if self._is_begun:
            raise UserError("recording: a block is recorded once; make another lstmtui.recording(…)")
        self._is_begun = True
        self._calls.begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._calls.end()
        try:
            self._finish()
        except Exception as failure:
            self._why = f"{type(failure).__name__}: {failure}"
            if error is None:
                raise
            # The user's own exception is what goes on.
            self._say(f"lstmtui.recording: {self._why}")

    def _finish(self) -> None:
        step, places = self._calls.step, self._calls.places
        if not any(call.results for call in step.calls):
            self._why = (
                "no LSTM, GRU, RNN, none of their Cells and no lstmtui.Recurrent was called in the block"
            )
            if self._calls.unseen:
                self._why += (
                    ", or only inside torch.func, torch.jit.trace, a torch.compile of the block's own, or on "
                    "meta tensors, where there are no values"
                )
            if self.path is not None:
                self._say(f"lstmtui.recording: nothing is written to {self.path}: {self._why}")
            return
        trace = replayed(step, self._name or places.root.__name__, loss_text=LOSS_TEXT)
        module = f"{places.root.__module__.split('.')[0]}.{places.root.__name__}"
        self._trace = Trace(replace(trace.header, module=module), trace.arrays)
        self._calls.forget()
        if self.path is not None:
            save(self._trace, self.path)

    def _trouble(self, error: Exception) -> None:
        """A call could not be kept; the others are."""
        self._say(f"lstmtui.recording: a call is left out: {type(error).__name__}: {error}")

    def _say(self, text: str) -> None:
        """Say something once, on stderr, wherever that goes."""
        if text not in self._said:
            self._said.add(text)
            with suppress(OSError, ValueError, AttributeError):
                print(printable(text), file=sys.stderr)

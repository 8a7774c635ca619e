"""Watching a training loop: its latest steps are written as a trace when something goes wrong."""

from __future__ import annotations

import sys
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from torch import nn

from lstmtui.capture.reruns.replay import layers_of
from lstmtui.capture.source.code.users_code import What
from lstmtui.capture.source.input_axes import UNSAID, InputAxes
from lstmtui.capture.steps.watched_calls import WatchedStep
from lstmtui.capture.watching.judge import Condition, Judge, Place, trace_of_step
from lstmtui.capture.watching.watch_path import WatchPath
from lstmtui.capture.watching.watched_model import WatchedModel
from lstmtui.printable import printable
from lstmtui.trace import Trace
from lstmtui.trace.storage import write_trace

UNSEEN = (
    "calls of the model inside torch.func, torch.jit.trace, a CUDA graph or a torch.compile that began "
    "within the block, or on meta tensors, have no values that could be kept, and were passed over"
)


class Watch:
    """A context manager round a training loop; see `lstmtui.watch`, which makes it."""

    def __init__(
        self,
        model: nn.Module,
        condition: Condition | None,
        path: str | Path,
        *,
        keep: int = 8,
        every: int = 1,
        limit: int = 4,
        source: What | None = None,
        axes: InputAxes = UNSAID,
    ) -> None:
        self._path, self._every, self._limit = WatchPath(path), every, limit
        self._watched = WatchedModel(model, keep, self._judge_steps, self._trouble, source, axes)
        modules = self._watched.modules
        layers = [layer for path in modules for layer in layers_of(path, modules[path])]
        self._judge = (
            None if condition is None else Judge(condition, layers, self._watched.has_code, self._print_once)
        )
        self._said: set[str] = set()
        self._held = False
        self.written: list[str] = []
        """What was written and why, a sentence for each time."""

    def __enter__(self) -> Self:
        self._watched.begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._watched.end()
        self._judge_steps(last=True)
        if isinstance(error, Exception):
            self._write(f"{type(error).__name__} was raised")
        for step in self._watched.steps:
            step.let_go()
        has_ended = error is None and not self._said
        if self._judge is not None and (why := self._judge.why_never(has_ended=has_ended)):
            self._print_once(f"the condition could not be judged: {why}")
        if self._watched.unseen or self._watched.compiled:
            self._print_once(UNSEEN)

    def _judge_steps(self, *, last: bool = False) -> None:
        """Look at the steps that are complete: those whose gradients are there, or that are about to go."""
        judge, steps = self._judge, self._watched.steps
        if judge is None:
            return
        for step in steps:
            goes = last or (len(steps) == self._watched.keep and step is steps[0])
            # What another thread is at may not be complete.
            is_complete = step.has_gradients or not judge.reads_derivatives
            done = is_complete and step.thread == threading.get_ident()
            if step.judged or not (done or goes):
                continue
            step.judged = True
            if step.number % self._every == 0 and len(self.written) < self._limit:
                self._judge_step(judge, step)

    def _judge_step(self, judge: Judge, step: WatchedStep) -> None:
        try:
            place = judge.place_in(step)
        except Exception as error:
            self._give_up(error)
            place = None
        # A condition that goes on holding is one occurrence.
        if place is not None and not self._held:
            where = f"t={place.t}, layer {place.layer} {place.direction}, batch {place.batch}"
            self._write(f"{judge.condition.text} at {where} of step {step.number}", step, place)
        self._held = place is not None

    def _write(self, why: str, step: WatchedStep | None = None, place: Place | None = None) -> None:
        """Write the steps that are kept up to this one, after those that were written before."""
        kept = [s for s in self._watched.steps if s.is_recorded]
        kept = [s for s in kept if step is None or s.number <= step.number]
        try:
            self._write_steps(kept, why, place)
        except Exception as error:
            self._give_up(error)
            return
        self._watched.remove(kept)
        if kept:
            self.written.append(why)
            _print_line(f"lstmtui: {why}; written to {self._path.current}")

    def _write_steps(self, steps: list[WatchedStep], why: str, place: Place | None) -> None:
        if not steps:
            return
        directory, older = self._path.open()
        with directory:
            for name, trace in older.items():
                write_trace(directory, name, trace)
            for step in steps:
                name = f"step {step.number}"
                own = trace_of_step(step, name, self._print_once)
                if own is None:
                    continue
                chosen = step is steps[-1]
                notes = f"{why}." if chosen else f"{steps[-1].number - step.number} before: {why}."
                notes = " ".join(part for part in (notes, own.header.notes) if part)
                header = replace(own.header, title=self._title(), notes=notes, module=self._watched.name)
                header = replace(header, opens=chosen)
                if chosen and place is not None and self._judge is not None:
                    header = replace(header, script=_script(self._judge.condition, place))
                write_trace(directory, name, Trace(header, own.arrays))
            self._path.finish(directory)

    def _title(self) -> str:
        return "watch" if self._judge is None else f"watch when {self._judge.condition.text}"

    def _give_up(self, error: Exception) -> None:
        """A watch never stops the training it watches."""
        self._limit = 0
        self._print_once(f"cannot go on: {error}")

    def _trouble(self, error: Exception) -> None:
        """A call could not be kept; the others are."""
        self._print_once(f"a call is left out: {type(error).__name__}: {error}")

    def _print_once(self, text: str) -> None:
        """Print a text once."""
        if text not in self._said:
            self._said.add(text)
            _print_line(f"lstmtui.watch: {text}")


def _print_line(text: str) -> None:
    """Print a line to stderr; a warning could become an exception in the user's forward."""
    with suppress(OSError, ValueError, AttributeError):
        print(printable(text), file=sys.stderr)


def _script(condition: Condition, place: Place) -> str:
    """Takes a session to the place."""
    lines = (
        f"layer {place.layer}",
        f"direction {place.direction}",
        f"batch {place.batch}",
        f"goto {place.t}",
    )
    return "\n".join([f"break when {condition.text}", *lines])


def options_of(keep: Any, every: Any, limit: Any) -> None:
    """Check the numbers a watch is given.

    Raises:
        ValueError: one of them is not a whole number of at least 1.
    """
    for name, value in (("keep", keep), ("every", every), ("limit", limit)):
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{name}: must be a whole number of at least 1, is {value!r}")

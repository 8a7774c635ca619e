"""Watching a training loop: its latest steps are written as a trace when something goes wrong."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from torch import nn

from lstmtui.capture.blocks.step_trace import trace_of
from lstmtui.capture.reruns.replay import LOSS_TEXT, NO_BACKWARD, TWICE, layers_of, outputs_of
from lstmtui.capture.source.input_axes import UNSAID, InputAxes
from lstmtui.capture.source.users_code import What
from lstmtui.capture.watching.watch_path import WatchPath
from lstmtui.capture.watching.watched_calls import WatchedStep
from lstmtui.capture.watching.watched_model import WatchedModel
from lstmtui.errors import UserError
from lstmtui.models.stock import layout_of
from lstmtui.printable import printable
from lstmtui.trace import Layer, Trace
from lstmtui.trace.storage import write_trace

UNSEEN = (
    "calls of the model inside torch.func, torch.jit.trace, a CUDA graph or a torch.compile that began "
    "within the block, or on meta tensors, have no values that could be kept, and were passed over"
)
MOST_NAMED = 12
"""Of the quantities of a step that are listed in a message."""


class Place(Protocol):
    """Where a condition holds."""

    @property
    def t(self) -> int:
        """The timestep."""

    @property
    def layer(self) -> int:
        """The layer, counted over all modules."""

    @property
    def direction(self) -> str:
        """forward or backward."""

    @property
    def batch(self) -> int:
        """Which sequence."""


class Condition(Protocol):
    """The condition of a watch."""

    @property
    def text(self) -> str:
        """As it was written."""

    @property
    def reads(self) -> frozenset[str]:
        """The quantities it reads."""

    def check(self, layers: Sequence[Layer]) -> None:
        """Refuse layers for which it means nothing."""

    def first(self, trace: Trace) -> Place | None:
        """Where it holds first, or None."""


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
        self._condition, self._path, self._every, self._limit = condition, WatchPath(path), every, limit
        self._watched = WatchedModel(model, keep, self._judge, self._trouble, source, axes)
        modules = self._watched.modules
        self._layers = [layer for path in modules for layer in layers_of(path, modules[path])]
        """Of the recurrent modules; once code was recorded, of the whole step that was judged last."""
        self._is_checked = not self._watched.has_code
        """Whether it is known that the condition means something; of code, only when that has run."""
        if condition is not None:
            condition.check(self._layers if self._is_checked else [])
        self._said: set[str] = set()
        self._held = False
        self._seen: set[str] = set()
        """Why derivatives that the condition reads were absent; "" of those that were there."""
        self.written: list[str] = []
        """What was written and why, a sentence for each time."""

    def __enter__(self) -> Self:
        self._watched.begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._watched.end()
        self._judge(last=True)
        if isinstance(error, Exception):
            self._write(f"{type(error).__name__} was raised")
        for step in self._watched.steps:
            step.let_go()
        if TWICE in self._seen:
            self._print_once(f"the condition could not be judged: {TWICE}")
        elif self._seen == {NO_BACKWARD} and error is None and not self._said:
            self._print_once("the condition could not be judged: no gradient came back to any call")
        if self._watched.unseen or self._watched.compiled:
            self._print_once(UNSEEN)

    def _judge(self, *, last: bool = False) -> None:
        """Look at the steps that are complete: those whose gradients are there, or that are about to go."""
        condition, steps = self._condition, self._watched.steps
        if condition is None:
            return
        for step in steps:
            goes = last or (len(steps) == self._watched.keep and step is steps[0])
            # What another thread is at may not be complete.
            done = step.thread == threading.get_ident() and (step.has_gradients or not self._is_derived)
            if step.judged or not (done or goes):
                continue
            step.judged = True
            if step.number % self._every == 0 and len(self.written) < self._limit:
                self._judge_step(condition, step)

    def _judge_step(self, condition: Condition, step: WatchedStep) -> None:
        place = self._place(condition, step)
        # A condition that goes on holding is one occurrence.
        if place is not None and not self._held:
            where = f"t={place.t}, layer {place.layer} {place.direction}, batch {place.batch}"
            self._write(f"{condition.text} at {where} of step {step.number}", step, place)
        self._held = place is not None

    def _place(self, condition: Condition, step: WatchedStep) -> Place | None:
        """Where the condition holds in a step, found with as little work as it needs."""
        calls = [call for call in step.calls if call.results]
        if not step.is_recorded:
            return None
        try:
            if step.code is not None:
                pass
            elif condition.reads <= {"h"} and all(_shows_h(c.module) and c.is_intact for c in calls):
                if all(condition.first(outputs_of(call)) is None for call in calls):
                    return None
            elif self._is_derived and not step.backward:
                self._seen.add(NO_BACKWARD)
                return None
            trace = self._trace(step, "", derivatives=self._is_derived)
            if trace is None:
                return None
            if step.code is not None:
                self._check(condition, trace)
            if self._is_derived:
                self._seen.update(layer.absent for layer in trace.layers)
            return condition.first(trace)
        except Exception as error:
            self._give_up(error)
            return None

    @property
    def _is_derived(self) -> bool:
        """Whether the condition reads derivatives, as far as that is known of code that has not run."""
        names = set() if self._condition is None else self._condition.reads
        values = {name for layer in self._layers for name in layer.quantities}
        return any(name.startswith("d") for name in names - values)

    def _check(self, condition: Condition, trace: Trace) -> None:
        """Say, of a step that was recorded by source, whether the condition means something there."""
        self._layers = list(trace.layers)
        if self._is_checked:
            return
        self._is_checked = True
        try:
            condition.check(self._layers)
        except UserError as error:
            names = list(dict.fromkeys(name for layer in self._layers for name in layer.quantities))
            shown = ", ".join(names[:MOST_NAMED]) + (" …" if len(names) > MOST_NAMED else "")
            self._print_once(
                f"when: {error}; the first step has {shown}; those that follow are judged all the same"
            )

    def _trace(self, step: WatchedStep, name: str, *, derivatives: bool = True) -> Trace | None:
        """The trace of a step; None where nothing of it is over time."""
        trace = trace_of(
            step,
            step.code,
            name,
            why_absent=NO_BACKWARD,
            loss_text=LOSS_TEXT,
            has_raised=step.code is not None and step.code.has_raised,
            parameters=None if step.code is None else step.code.parameters,
            derivatives=derivatives,
        )
        if trace is None and step.code is not None:
            self._print_once(step.code.refusal())
        return trace

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
                own = self._trace(step, name)
                if own is None:
                    continue
                chosen = step is steps[-1]
                notes = f"{why}." if chosen else f"{steps[-1].number - step.number} before: {why}."
                notes = " ".join(part for part in (notes, own.header.notes) if part)
                header = replace(own.header, title=self._title(), notes=notes, module=self._watched.name)
                header = replace(header, opens=chosen)
                if chosen and place is not None and self._condition is not None:
                    header = replace(header, script=_script(self._condition, place))
                write_trace(directory, name, Trace(header, own.arrays))
            self._path.finish(directory)

    def _title(self) -> str:
        return "watch" if self._condition is None else f"watch when {self._condition.text}"

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


def _shows_h(module: nn.Module) -> bool:
    """Whether every h of a module is in what it returns."""
    return layout_of(module).num_layers == 1


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

"""Taps: while a module runs, each recurrent module inside it is recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.rnn import PackedSequence

from lstmtui.capture.cell_loops import CellLoop
from lstmtui.capture.interception import check_forward, intercept, kind_of
from lstmtui.capture.module_runs import ModuleRun
from lstmtui.capture.origins import Origins
from lstmtui.capture.progress import Progress
from lstmtui.capture.single_steps import is_single_step, loops_of, record_step
from lstmtui.capture.tapped_calls import call_of, record_call, weights_of
from lstmtui.capture.untouched import untouched
from lstmtui.capture.wrapped import named_modules, see_through, uncompiled
from lstmtui.models.calls import Call
from lstmtui.models.stock import layout_of
from lstmtui.trace.writing import TraceWriter


@dataclass
class Tap:
    """Collects the runs of every recurrent module of one call of a module."""

    progress: Progress
    lengths: Tensor | None = None
    """Of x; for the modules that are called with as many sequences of at least that length."""
    writer: TraceWriter | None = None
    """What gets the arrays while they are made; None: they are kept in memory."""
    anchor: Tensor = field(default_factory=lambda: torch.zeros((), requires_grad=True))
    lengths_fit: bool = False
    """Whether a module was called with such sequences."""
    runs: list[ModuleRun] = field(default_factory=list)
    """In the order in which they began."""
    last: ModuleRun | None = None
    """The run of the last call."""
    origins: Origins = field(default_factory=Origins)
    """What the calls returned."""
    _loops: dict[int, CellLoop] = field(default_factory=dict)
    """The loop that each cell is in."""
    _steps: dict[int, list[CellLoop]] = field(default_factory=dict)
    """By the id of a run that consists of single timesteps: a loop for each of its layers."""
    _finished: list[CellLoop] = field(default_factory=list)

    @contextmanager
    def installed(self, root: nn.Module) -> Iterator[None]:
        """Within this context every recurrent module under `root` is recorded when called.

        Raises:
            TypeError: one of them cannot be.
        """
        modules = list(named_modules(root))
        for path, module in modules:
            check_forward(path, module)
        with untouched(root), uncompiled():
            for path, module in modules:
                if kind_of(module) is None:
                    continue
                # Cells inside a model are called by its own loop; only a cell on its own is run over time.
                in_loop = isinstance(module, nn.RNNCellBase) and module is not root
                taken = self._cell if in_loop else self._sequence
                intercept(module, partial(taken, path, module))
            see_through(root)
            yield

    def forget_derivatives(self) -> None:
        """Drop what backward passes within the module's own forward have left in the recordings."""
        for run in self.runs:
            for part in (run, *run.further):
                for recording in part.recordings.values():
                    recording.forget_derivatives()
        for loop in self._all_loops():
            for call in loop.calls:
                call.derivatives = ()

    def finish(self) -> None:
        """Complete the runs, once the loss has been differentiated."""
        for loop in self._all_loops():
            loop.finish()
        for run in self.runs:
            run.join()

    def _all_loops(self) -> list[CellLoop]:
        return [
            *self._finished,
            *self._loops.values(),
            *(loop for part in self._steps.values() for loop in part),
        ]

    def _sequence(
        self,
        path: str,
        module: nn.Module,
        original: Callable[..., Any],
        x: Tensor | PackedSequence | None = None,
        hx: Any = None,
        lengths: Tensor | None = None,
        *,
        input: Any = None,
    ) -> Any:
        x = input if x is None else x
        if lengths is None and not isinstance(x, PackedSequence):
            lengths = self._lengths_for(path, module, x)
        call, packed = call_of(module, x, hx, lengths)
        single = is_single_step(module, call, packed)
        part, self.last = self._run_of(path, module, call, hx, single)
        start = self.last.length - part.steps
        if single:
            if id(part) not in self._steps:
                self._steps[id(part)] = loops_of(part, self.progress, self.anchor)
            start = self.last.length
            self.progress.expect(2 * part.layout.num_layers)
            result = record_step(self._steps[id(part)], module, call)
        else:
            result = record_call(part, call, packed, self.progress, self.anchor)
        self.last.last_h = part.last_h
        self.origins.add(result, start, call.axes)
        return result

    def _run_of(
        self, path: str, module: nn.Module, call: Call, hx: Any, single: bool
    ) -> tuple[ModuleRun, ModuleRun]:
        """A run for a call, and the run it belongs to: itself, or an earlier one that it goes on with."""
        steps, batch = call.x.shape[:2]
        layout, lengths = layout_of(module), call.lengths if call.valid is not None else None
        before = next((run for run in reversed(self.runs) if run.module is module), None)
        run = ModuleRun("", module, layout, steps, batch, call.batched, call.batch_first, lengths=lengths)
        given = () if hx is None else hx if isinstance(hx, tuple) else (hx,)
        if before is not None and before.goes_on(given, batch, lengths):
            last = before.further[-1] if before.further else before
            if single and id(last) in self._steps:
                return last, before
            before.further.append(run)
            return run, before
        run.path = self._name(path, module)
        if self.writer is not None and steps > 1:
            # Calls of one timestep may turn out to be a loop, whose calls are put together at the end.
            run.writer, run.first_layer = self.writer, sum(r.layout.num_layers for r in self.runs)
        self.runs.append(run)
        return run, run

    def _cell(
        self,
        path: str,
        module: nn.Module,
        original: Callable[..., Any],
        x: Tensor | None = None,
        hx: Any = None,
        *,
        input: Any = None,
    ) -> Any:
        x = input if x is None else x
        assert x is not None
        batch = 1 if x.dim() == 1 else len(x)
        loop = self._loops.get(id(module))
        if loop is None or loop.run.batch != batch:
            if loop is not None:
                self._finished.append(loop)
            run = ModuleRun(
                self._name(path, module), module, layout_of(module), 0, batch, x.dim() == 2, False
            )
            self.runs.append(run)
            loop = self._loops[id(module)] = CellLoop(run, self.progress, self.anchor)
        self.last = loop.run
        self.progress.expect(2)
        with parametrize.cached():
            parameters = {name.removesuffix("_l0"): p for name, p in weights_of(module).items()}
            result = loop.call(original, x, hx, parameters)
        self.origins.add(result, loop.run.steps - 1, ("batch",) if loop.run.batched else ())
        return result

    def _name(self, path: str, module: nn.Module) -> str:
        earlier = sum(run.module is module for run in self.runs)
        return f"{path}@{earlier + 1}" if earlier else path

    def _lengths_for(self, path: str, module: nn.Module, x: Any) -> Tensor | None:
        """The lengths given to `record`, where they can be those of x of this module."""
        fits = self.lengths is not None
        if self.lengths is not None and path and isinstance(x, Tensor) and x.dim() == 3:
            steps, batch = x.shape[:2][:: -1 if getattr(module, "batch_first", False) else 1]
            fits = self.lengths.shape == (batch,) and int(self.lengths.max()) <= steps
        self.lengths_fit |= fits
        return self.lengths if fits else None

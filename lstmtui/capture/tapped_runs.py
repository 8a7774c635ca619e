"""The runs that the calls of recurrent modules become."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.rnn import PackedSequence

from lstmtui.capture.autograd_state import graph
from lstmtui.capture.cell_loops import CellLoop
from lstmtui.capture.cuts import Cuts
from lstmtui.capture.module_runs import ModuleRun
from lstmtui.capture.origins import Origins
from lstmtui.capture.progress import Progress
from lstmtui.capture.recomputation import Recomputation, TappedCall, inputs_of
from lstmtui.capture.recording import Repeatable
from lstmtui.capture.single_steps import is_single_step, loops_of, record_step
from lstmtui.capture.tapped_calls import record_call, weights_of
from lstmtui.models.calls import Call
from lstmtui.models.stock import layout_of
from lstmtui.models.torch_compat import backward_pass
from lstmtui.trace.writing import TraceWriter

NO_GRAPH = "it ran without a graph (torch.no_grad), so no derivatives were recorded"
NOT_REPEATED = (
    "it ran without a graph inside a custom autograd Function, whose backward has not run it again with the "
    "same input, so no derivatives were recorded"
)

CUT = "it was taken out of the graph (detach, torch.no_grad) before the loss, so no derivatives were recorded"


@dataclass
class TappedRuns:
    """Collects the runs of every recurrent module of one call of a module."""

    progress: Progress
    writer: TraceWriter | None = None
    """What gets the arrays while they are made; None: they are kept in memory."""
    anchor: Tensor = field(default_factory=lambda: torch.zeros((), requires_grad=True))
    runs: list[ModuleRun] = field(default_factory=list)
    """In the order in which they began."""
    last: ModuleRun | None = None
    """The run of the last call."""
    origins: Origins = field(default_factory=Origins)
    """What the calls returned."""
    cuts: Cuts = field(default_factory=Cuts)
    """Where the user's code has left the graph."""
    recomputation: Recomputation = field(default_factory=Recomputation)
    during: Literal["forward", "loss", "backward"] = "forward"
    """The phase: calls of the forward pass are recorded, and those that repeat them in the backward pass."""
    _outer_pass: int = field(default_factory=backward_pass)
    """The backward pass in whose hook of the user's the recording was begun, if any."""
    _runs_of: list[tuple[TappedCall, ModuleRun]] = field(default_factory=list)
    _loops: dict[int, CellLoop] = field(default_factory=dict)
    """The loop that each cell is in."""
    _steps: dict[int, list[CellLoop]] = field(default_factory=dict)
    """By the id of a run that consists of single timesteps: a loop for each of its layers."""
    _finished: list[CellLoop] = field(default_factory=list)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    """Several threads of the user's forward may call modules."""

    @property
    def is_in_backward(self) -> bool:
        """Whether a backward pass of what is recorded is running in this thread."""
        return backward_pass() not in (-1, self._outer_pass)

    @property
    def repeats(self) -> bool:
        """Whether a call now repeats one of the forward."""
        return self.during == "backward" or self.is_in_backward

    def sequence(
        self, path: str, module: nn.Module, call: Call, packed: PackedSequence | None, hx: Any
    ) -> Any:
        """A call of a module that reads whole sequences; what the module returns."""
        single, again = is_single_step(module, call, packed), self.repeats
        if again:
            part = before = _run_of_call(module, call)
        else:
            with self._lock:
                part, before = self._run_of(path, module, call, hx, single)
                self.last = before
        parts: list[Repeatable]
        if single:
            loops = loops_of(part, self.progress, self.anchor) if again else self._steps_of(part)
        start = before.length - (0 if single else part.steps)
        if single:
            self.progress.expect(2 * part.layout.num_layers)
            result = record_step(loops, module, call)
            parts = [loop.calls[-1] for loop in loops]
        else:
            result = record_call(part, call, packed, self.progress, self.anchor)
            parts = list(part.recordings.values())
        before.last_h = part.last_h
        self._keep(before, parts, (call.x, *call.states), again=again)
        if not again:
            self.origins.add(result, start, call.axes)
        return result

    def cell(self, path: str, module: nn.Module, forward: Callable[..., Any], x: Tensor, hx: Any) -> Any:
        """A call of a cell in a loop of the user's own; what the cell returns."""
        again = self.repeats
        with self._lock:
            loop = self._loop_of(path, module, x, again=again)
            if not again:
                self.last = loop.run
        self.progress.expect(2)
        with parametrize.cached():
            parameters = {name.removesuffix("_l0"): p for name, p in weights_of(module).items()}
            result = loop.call(forward, x, hx, parameters)
        call = loop.calls[-1]
        self._keep(loop.run, [call], (call.x, *call.before), again=again)
        if not again:
            self.origins.add(result, loop.run.steps - 1, ("batch",) if loop.run.batched else ())
        return result

    def forget_derivatives(self) -> None:
        """Drop what backward passes within the module's own forward have left in the recordings."""
        for run in self.runs:
            for part in (run, *run.further):
                for recording in part.recordings.values():
                    recording.forget_derivatives()
        for loop in self._all_loops():
            for call in loop.calls:
                call.derivatives, call.has_gradient = (), False
        self.recomputation.reset()

    def finish(self, absent: str = "") -> None:
        """Complete the runs, once the loss has been differentiated.

        Args:
            absent: why no derivative of any of them was computed; empty where the loss has a gradient.
        """
        reached = {id(run) for call, run in self._runs_of if any(p.has_gradient for p in call.parts)}
        cut = {id(run) for call, run in self._runs_of if any(map(self.cuts.has, call.parts))}
        for loop in self._all_loops():
            loop.finish()
        for run in self.runs:
            run.join()
            why = absent
            if not why and id(run) not in reached:
                why = {"none": NO_GRAPH, "in a function": NOT_REPEATED}.get(run.graph, "")
                why = why or (CUT if id(run) in cut else "")
            if why:
                run.leave_out_derivatives(why)

    def release(self) -> None:
        """Let go of every tensor; what took over a module's forward may hold this until it is collected."""
        self.runs, self.last, self._runs_of, self._finished = [], None, [], []
        self._loops, self._steps = {}, {}
        self.origins, self.recomputation, self.cuts = Origins(), Recomputation(), Cuts()

    def _keep(
        self, run: ModuleRun, parts: list[Repeatable], inputs: tuple[Tensor, ...], *, again: bool
    ) -> None:
        kind = graph()
        call = TappedCall(run.module, kind, parts)
        if again or kind == "in a function":
            call.inputs = inputs_of(*inputs)
        with self._lock:
            if again:
                self.recomputation.repeat(call)
            else:
                self.recomputation.add(call)
                self._runs_of.append((call, run))

    def _all_loops(self) -> list[CellLoop]:
        return [
            *self._finished,
            *self._loops.values(),
            *(loop for part in self._steps.values() for loop in part),
        ]

    def _run_of(
        self, path: str, module: nn.Module, call: Call, hx: Any, single: bool
    ) -> tuple[ModuleRun, ModuleRun]:
        """A run for a call, and the run it belongs to: itself, or an earlier one that it continues."""
        before = next((run for run in reversed(self.runs) if run.module is module), None)
        run = _run_of_call(module, call)
        states = () if hx is None else hx if isinstance(hx, tuple) else (hx,)
        if before is not None and before.goes_on(states, run.batch, run.lengths, run.graph):
            last = before.further[-1] if before.further else before
            if single and id(last) in self._steps:
                return last, before
            before.further.append(run)
            return run, before
        run.path = self._name(path, module)
        if self.writer is not None and run.steps > 1:
            # Calls of one timestep may turn out to be a loop, whose calls are put together at the end.
            run.writer, run.first_layer = self.writer, sum(r.layout.num_layers for r in self.runs)
        self.runs.append(run)
        return run, run

    def _steps_of(self, part: ModuleRun) -> list[CellLoop]:
        if id(part) not in self._steps:
            self._steps[id(part)] = loops_of(part, self.progress, self.anchor)
        return self._steps[id(part)]

    def _loop_of(self, path: str, module: nn.Module, x: Tensor, *, again: bool) -> CellLoop:
        """The loop that a call of a cell is a timestep of; one of its own where it repeats another."""
        batch = 1 if x.dim() == 1 else len(x)
        loop, kind = self._loops.get(id(module)), graph()
        if loop is not None and not again and (loop.run.batch, loop.run.graph) == (batch, kind):
            return loop
        name = path if again else self._name(path, module)
        run = ModuleRun(name, module, layout_of(module), 0, batch, x.dim() == 2, False, graph=kind)
        new = CellLoop(run, self.progress, self.anchor)
        if not again:
            self._finished += [] if loop is None else [loop]
            self.runs.append(run)
            self._loops[id(module)] = new
        return new

    def _name(self, path: str, module: nn.Module) -> str:
        earlier = sum(run.module is module for run in self.runs)
        return f"{path}@{earlier + 1}" if earlier else path


def _run_of_call(module: nn.Module, call: Call) -> ModuleRun:
    steps, batch = call.x.shape[:2]
    lengths = call.lengths if call.valid is not None else None
    return ModuleRun(
        "",
        module,
        layout_of(module),
        steps,
        batch,
        call.batched,
        call.batch_first,
        lengths=lengths,
        graph=graph(),
    )

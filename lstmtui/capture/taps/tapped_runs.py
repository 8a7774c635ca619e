"""The runs that the calls of recurrent modules become."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Literal

from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.rnn import PackedSequence

from lstmtui.capture.autograd_state import graph, new_leaf
from lstmtui.capture.axes import Kind
from lstmtui.capture.loss.not_reached import why_not_reached
from lstmtui.capture.module_runs import ModuleRun, run_of_call
from lstmtui.capture.modules.arguments import states_of
from lstmtui.capture.origins.continuity import Chain, Continuity
from lstmtui.capture.origins.origins import Origins
from lstmtui.capture.origins.state_origins import Ended, StateOrigins
from lstmtui.capture.progress import Progress
from lstmtui.capture.recording import Repeatable
from lstmtui.capture.taps.cell_loops import CellLoop
from lstmtui.capture.taps.cuts import Cuts
from lstmtui.capture.taps.recomputation import Recomputation, TappedCall, tapped_call
from lstmtui.capture.taps.single_steps import cut_to_whole_steps, is_single_step, loops_of, record_step
from lstmtui.capture.taps.tapped_calls import record_call, weights_of
from lstmtui.models.calls import Call
from lstmtui.models.stock import layout_of
from lstmtui.models.torch_compat import backward_pass
from lstmtui.trace.writing import TraceWriter


@dataclass
class TappedRuns:
    """Collects the runs of every recurrent module of one call of a module."""

    progress: Progress
    writer: TraceWriter | None = None
    """What gets the arrays while they are made; None: they are kept in memory."""
    anchor: Tensor = field(default_factory=new_leaf)
    runs: list[ModuleRun] = field(default_factory=list)
    """In the order in which they began."""
    last: ModuleRun | None = None
    """The run of the last call."""
    origins: Origins = field(init=False)
    """What the calls returned."""
    cuts: Cuts = field(default_factory=Cuts)
    """Where the user's code has left the graph."""
    recomputation: Recomputation = field(default_factory=Recomputation)
    during: Literal["forward", "loss", "backward"] = "forward"
    """The phase: calls of the forward pass are recorded, and those that repeat them in the backward pass."""
    continuity: Continuity = field(default_factory=Continuity)
    """Which calls follow one another."""
    moment: Callable[[], int] = field(default_factory=lambda: count().__next__)
    """Gives a number that is larger each time, also than what has been recorded by source until then."""
    state_origins: StateOrigins | None = None
    """What is known of states from before; None: nothing, and where they come from is not recorded."""
    _outer_pass: int = field(default_factory=backward_pass)
    """The backward pass in whose hook of the user's the recording was begun, if any."""
    _runs_of: list[tuple[TappedCall, ModuleRun]] = field(default_factory=list)
    _run_of_chain: dict[int, ModuleRun] = field(default_factory=dict)
    """By the id of a chain of calls that read sequences."""
    _loops: dict[int, CellLoop] = field(default_factory=dict)
    """By the id of a chain of calls of a cell."""
    _steps: dict[int, list[CellLoop]] = field(default_factory=dict)
    """By the id of a run that consists of single timesteps: a loop for each of its layers."""
    _lock: threading.RLock = field(default_factory=threading.RLock)
    """Several threads of the user's forward may call modules."""

    def __post_init__(self) -> None:
        self.origins = Origins(self.recomputation.timesteps_of)

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
        """Run a call of a module that reads whole sequences; returns what the module returns."""
        single, again, last = is_single_step(module, call, packed), self.repeats, self.last
        part = before = run_of_call(module, call)
        chain = None
        if not again:
            with self._lock:
                part, before, chain = self._run_of(path, part, hx, single)
                part.moments.append(self.moment())
                self.last = before
        parts: list[Repeatable]
        if single:
            loops = self._steps_of(part) if chain else loops_of(part, self.progress, self.anchor)
        start = before.length - (0 if single else part.steps)
        if chain is not None:
            self._note_states(before, chain, hx, start)
        try:
            if single:
                self.progress.expect(2 * part.layout.num_layers)
                result = record_step(loops, module, call, is_changed=chain is not None and chain.is_changed)
                parts = [loop.calls[-1] for loop in loops]
            else:
                result = record_call(part, call, packed, self.progress, self.anchor)
                parts = list(part.recordings.values())
        except BaseException:
            self._leave_out(before, part, last)
            raise
        tapped = tapped_call(before.module, parts, (call.x, *call.states), start, may_repeat=again)
        if self.origins.is_looking:
            self.origins.repeat(tapped, result, call.axes)
            return result
        before.last_h = part.last_h
        self._keep(before, tapped, again=again)
        if chain is not None:
            self.continuity.ended(chain, result)
            self.origins.add(result, start, call.axes)
        return result

    def cell(self, path: str, module: nn.Module, forward: Callable[..., Any], x: Tensor, hx: Any) -> Any:
        """Run a call of a cell in a loop of the user's own; returns what the cell returns."""
        again, last = self.repeats, self.last
        with self._lock:
            loop, chain = self._loop_of(path, module, x, hx, again=again)
            if chain is not None:
                self.last = loop.run
                loop.run.moments.append(self.moment())
        if chain is not None:
            self._note_states(loop.run, chain, hx, loop.run.steps)
        self.progress.expect(2)
        with parametrize.cached():
            parameters = {name.removesuffix("_l0"): p for name, p in weights_of(module).items()}
            is_changed = chain is not None and chain.is_changed
            try:
                result = loop.call(forward, x, hx, parameters, is_changed=is_changed)
            except BaseException:
                self._leave_out(loop.run, loop.run, last)
                raise
        call, start = loop.calls[-1], loop.run.steps - 1
        axes: Sequence[Kind] = ("batch",) if loop.run.batched else ()
        tapped = tapped_call(module, [call], (call.x, *call.before), start, may_repeat=again)
        if self.origins.is_looking:
            self.origins.repeat(tapped, result, axes)
            return result
        self._keep(loop.run, tapped, again=again)
        if chain is not None:
            self.continuity.ended(chain, result)
            self.origins.add(result, start, axes)
        return result

    def forget_derivatives(self) -> None:
        """Discard what backward passes within the module's own forward have left in the recordings."""
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
            why = absent or ("" if id(run) in reached else why_not_reached(run, is_cut=id(run) in cut))
            if why:
                run.leave_out_derivatives(why)

    def release(self) -> None:
        """Release every tensor; whatever took over a module's forward may hold this until it is collected."""
        self.runs, self.last, self._runs_of = [], None, []
        self._run_of_chain, self._loops, self._steps, self.continuity = {}, {}, {}, Continuity()
        self.origins, self.recomputation, self.cuts = Origins(), Recomputation(), Cuts()
        self.state_origins = None

    def _keep(self, run: ModuleRun, call: TappedCall, *, again: bool) -> None:
        with self._lock:
            if again:
                self.recomputation.repeat(call)
            else:
                self.recomputation.add(call)
                self._runs_of.append((call, run))

    def _leave_out(self, run: ModuleRun, part: ModuleRun, last: ModuleRun | None) -> None:
        """A call has ended in an exception: what there is of it is part of no run.

        Args:
            run: that it belongs to.
            part: what it was recorded in.
            last: the run of the call before.
        """
        with self._lock:
            self.last = last
            loops = [loop for loop in self._all_loops() if loop.run is part]
            if loops and cut_to_whole_steps(part, loops):
                return
            self._loops = {key: loop for key, loop in self._loops.items() if loop.run is not part}
            self._steps.pop(id(part), None)
            for recording in part.recordings.values():
                recording.values.clear()
            run.further = [other for other in run.further if other is not part]
            self.runs = [other for other in self.runs if other is not part]

    def _all_loops(self) -> list[CellLoop]:
        return [*self._loops.values(), *(loop for part in self._steps.values() for loop in part)]

    def _run_of(self, path: str, run: ModuleRun, hx: Any, single: bool) -> tuple[ModuleRun, ModuleRun, Chain]:
        """What a call is recorded in, the run that it belongs to, and the chain of calls that makes this up.

        Args:
            path: of the module.
            run: of this call alone.
            hx: the states it was given.
            single: whether it is a single timestep.
        """
        # Calls of one timestep may turn out to be a loop, whose calls are put together at the end.
        in_files = self.writer is not None and run.steps > 1
        chain = self.continuity.chain_of(
            run.module,
            hx,
            run.batch,
            run.graph,
            "step" if single or run.steps == 1 else "sequence",
            goes_on=run.lengths is None and not run.layout.bidirectional and not in_files,
        )
        before = self._run_of_chain.get(id(chain))
        if before is not None:
            last = before.further[-1] if before.further else before
            if single and id(last) in self._steps:
                return last, before, chain
            run.is_changed = chain.is_changed
            before.further.append(run)
            return run, before, chain
        run.path = self._name(path, run.module)
        if in_files:
            run.writer, run.first_layer = self.writer, sum(r.layout.num_layers for r in self.runs)
        self.runs.append(run)
        self._run_of_chain[id(chain)] = run
        return run, run, chain

    def _note_states(self, run: ModuleRun, chain: Chain, hx: Any, t: int) -> None:
        """Note where the states come from that a call is given before the timestep `t`."""
        for kind in chain.changes:
            run.changes.setdefault(kind, []).append(t)
        if chain.calls > 1 or self.state_origins is None:
            return
        states = states_of(hx)
        ended = [
            Ended(self._path_of(other), layout_of(other.module), other.left, other.number)
            for other in self.continuity.ended_before(chain)
        ]
        behind = self.continuity.calls_behind(states)
        run.origins = self.state_origins.beginnings(run.layout, states, ended, behind)

    def _path_of(self, chain: Chain) -> str:
        run = self._run_of_chain.get(id(chain))
        return self._loops[id(chain)].run.path if run is None else run.path

    def _steps_of(self, part: ModuleRun) -> list[CellLoop]:
        if id(part) not in self._steps:
            self._steps[id(part)] = loops_of(part, self.progress, self.anchor)
        return self._steps[id(part)]

    def _loop_of(
        self, path: str, module: nn.Module, x: Tensor, hx: Any, *, again: bool
    ) -> tuple[CellLoop, Chain | None]:
        """The loop that a call of a cell is a timestep of, and its chain.

        A call that repeats another has a loop of its own, and none.
        """
        batch, kind = 1 if x.dim() == 1 else len(x), graph()
        chain = None if again else self.continuity.chain_of(module, hx, batch, kind, "cell")
        if chain is not None and id(chain) in self._loops:
            return self._loops[id(chain)], chain
        name = path if again else self._name(path, module)
        run = ModuleRun(name, module, layout_of(module), 0, batch, x.dim() == 2, False, graph=kind)
        loop = CellLoop(run, self.progress, self.anchor)
        if chain is not None:
            self.runs.append(run)
            self._loops[id(chain)] = loop
        return loop, chain

    def _name(self, path: str, module: nn.Module) -> str:
        earlier = sum(run.module is module for run in self.runs)
        return f"{path}@{earlier + 1}" if earlier else path

"""What one recurrent module did in one call, or in consecutive calls that form one sequence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate

import numpy as np
import torch
from torch import Tensor, nn

from lstmtui.arrays import Array
from lstmtui.capture.autograd_state import Graph, graph
from lstmtui.capture.equality import same
from lstmtui.capture.loss.reads import Reads, brought_back, joined_reads, no_reads
from lstmtui.capture.progress import Progress
from lstmtui.capture.recording import Recording
from lstmtui.capture.stores.file_store import FileStore
from lstmtui.capture.stores.host_copies import on_host
from lstmtui.capture.to_numpy import widened
from lstmtui.cells.layout import Layout
from lstmtui.models.calls import Call
from lstmtui.models.stock import layout_of
from lstmtui.trace.state_origin import SHOWN, ChangeKind, StateChange, StateOrigin
from lstmtui.trace.writing import TraceWriter


@dataclass
class ModuleRun:
    """One recurrent module, recorded over one sequence."""

    path: str
    """Where the module sits, as in `named_modules`; with @2, @3 … for its further runs."""
    module: nn.Module
    layout: Layout
    steps: int
    batch: int
    batched: bool
    batch_first: bool
    parity: float | None = None
    lengths: Tensor | None = None
    last_h: Tensor | None = None
    """The last h of the last layer, (directions, B, P), in the graph."""
    recordings: dict[tuple[int, str], Recording] = field(default_factory=dict)
    """By layer and direction."""
    calls: int = 1
    """How many calls the timesteps come from."""
    moments: list[int] = field(default_factory=list)
    """When each of them began, as numbers that rise; once they are joined, that of each timestep."""
    is_changed: bool = False
    """Whether it goes on from other states than the call before it left."""
    origins: dict[tuple[int, str], StateOrigin] = field(default_factory=dict)
    """Where the states of each layer and direction come from."""
    changes: dict[ChangeKind, list[int]] = field(default_factory=dict)
    """The timesteps before which its states were reset, changed or detached."""
    writer: TraceWriter | None = None
    """What gets the arrays while they are made; None: they are kept in memory."""
    first_layer: int = 0
    """The number of its first layer in the trace."""
    graph: Graph = "built"
    """What autograd kept of all of its calls."""
    absent: str = ""
    """Why its derivatives are not there, in a sentence; empty where they are."""
    further: list[ModuleRun] = field(default_factory=list)
    """The calls that go on where this one ended, until `join` has put them behind it."""

    @property
    def length(self) -> int:
        """The number of timesteps, those of further calls included."""
        return self.steps + sum(part.steps for part in self.further)

    def order(self) -> Array:
        """When the call of each timestep began, (T,)."""
        return np.repeat(self.moments, self.steps // len(self.moments))

    def origin(self, layer: int, direction: str) -> StateOrigin | None:
        """Where the states of a layer come from, with what happened to them in between."""
        changes = (StateChange(kind, tuple(t[:SHOWN]), len(t)) for kind, t in self.changes.items())
        origin = self.origins.get((layer, direction))
        return None if origin is None else replace(origin, changes=tuple(changes))

    def recording(
        self, layer: int, direction: str, parameters: dict[str, Tensor], progress: Progress
    ) -> Recording:
        """A new recording of one layer and direction, with a place for its arrays."""
        recording = Recording(self.layout.cell, parameters, progress)
        if self.writer is not None:
            number = self.first_layer + layer
            recording.values = FileStore(self.writer, number, direction)
            recording.derivatives = FileStore(self.writer, number, direction, "d")
        self.recordings[layer, direction] = recording
        return recording

    def join(self) -> None:
        """Put the further calls behind this one, as timesteps of the same run."""
        if not self.further:
            return
        parts = [self, *self.further]
        parities = [p.parity for p in parts]
        gaps = [p for p in parities if p is not None]
        self.parity = max(gaps, key=lambda p: (p != p, p)) if len(gaps) == len(parts) else None
        self.last_h, self.calls = parts[-1].last_h, sum(part.calls for part in parts)
        self.moments = [moment for part in parts for moment in part.order().tolist()]
        for part in self.further:
            for recording in part.recordings.values() if part.is_changed else ():
                recording.changes[0] = {state: recording.initial[state] for state in recording.cell.states}
        starts = accumulate((part.steps for part in parts), initial=0)
        is_cut = [t in self.changes.get("detached", ()) for t, _ in zip(starts, parts, strict=False)]
        self.recordings = {
            place: joined_recordings([part.recordings[place] for part in parts], is_cut)
            for place in self.recordings
        }
        self.steps, self.further = self.length, []

    def leave_out_derivatives(self, why: str) -> None:
        """Mark the derivatives as not computed, so that nothing shows 0 for them."""
        self.absent = why
        for recording in self.recordings.values():
            recording.forget_derivatives()


def joined_recordings(parts: Sequence[Recording], is_cut: Sequence[bool] = ()) -> Recording:
    """One recording of parts that follow each other in time.

    Args:
        parts: the recordings.
        is_cut: whether the states that each part began from were taken out of the graph; empty: none were.
    """
    first = parts[0]
    whole = Recording(first.cell, first.parameters, first.progress)
    whole.initial = first.initial
    whole.precision = next((part.precision for part in parts if part.precision), "")
    starts = accumulate((len(part.value("h")) for part in parts), initial=0)
    whole.changes = {
        start + t: c for start, part in zip(starts, parts, strict=False) for t, c in part.changes.items()
    }
    whole.parameters_until = _until(parts)
    for name in ("x", *first.cell.quantities):
        values = [part.value(name) for part in parts]
        whole.values[name] = _in_time(values)
        derivatives = [part.derivative(name) for part in parts]
        if any(d is not None for d in derivatives):
            pairs = zip(derivatives, values, strict=True)
            whole.derivatives[name] = _in_time([torch.zeros_like(v) if d is None else d for d, v in pairs])
    if any(part.reads is not None for part in parts):
        whole.reads = _reads_of_all(parts, is_cut or [False] * len(parts))
    for name in first.parameters:
        shares = [part.parameter_derivatives[name] for part in parts if name in part.parameter_derivatives]
        if shares:
            whole.parameter_derivatives[name] = torch.stack(shares).sum(0)
    return whole


def _until(parts: Sequence[Recording]) -> int:
    """The first timestep with other parameters than the first; 0 where there is none."""
    t = 0
    for part in parts:
        if t and not _are_same(part.parameters, parts[0].parameters):
            return t
        if part.parameters_until:
            return t + part.parameters_until
        t += len(part.value("h"))
    return 0


def _are_same(some: dict[str, Tensor], others: dict[str, Tensor]) -> bool:
    return some is others or all(
        tensor.data_ptr() == others[name].data_ptr() or same(tensor, others[name])
        for name, tensor in some.items()
    )


def _reads_of_all(parts: Sequence[Recording], is_cut: Sequence[bool]) -> Reads:
    """Where all parts are read; one that no gradient has come back to is not."""
    states = parts[0].cell.states
    sizes = [part.value("h").shape for part in parts]
    every = [p.reads or no_reads(size[0], size[1], len(states)) for p, size in zip(parts, sizes, strict=True)]
    brought: list[list[Tensor | None]] = [[None] * len(states)]
    for before, reads, part, cut in zip(parts, every, parts[1:], is_cut[1:], strict=False):
        back: list[Tensor | None] = []
        for state, total in zip(states, reads.finals, strict=True):
            d_began, left = part.initial.get("d" + state), before.value(state)[-1]
            if cut or total is None or d_began is None:
                back.append(None)
            else:
                back.append(brought_back(d_began, part.initial[state].detach().to(left), left, total))
        brought.append(back)
    return joined_reads(list(zip(every, brought, strict=True)))


def _in_time(parts: list[Tensor]) -> Tensor:
    """One array of several; on the host where one of them is there."""
    if len({part.device for part in parts}) > 1:
        parts = [on_host(widened(part)) for part in parts]
    return torch.cat(parts)


def run_of_call(module: nn.Module, call: Call) -> ModuleRun:
    """The run of one call of a module that reads sequences."""
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

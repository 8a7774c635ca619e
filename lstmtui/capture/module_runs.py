"""What one recurrent module did: one call of it, or consecutive calls that make up one sequence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from lstmtui.capture.autograd_state import Graph
from lstmtui.capture.file_store import FileStore
from lstmtui.capture.host_copies import on_host
from lstmtui.capture.progress import Progress
from lstmtui.capture.reads import joined_reads
from lstmtui.capture.recording import Recording
from lstmtui.capture.to_numpy import widened
from lstmtui.cells.layout import Layout
from lstmtui.models.unroll import States
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
    left: States = ()
    """The last states of all layers as the caller has them; a call that is given them continues this run."""
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

    def goes_on(self, hx: States, batch: int, lengths: Tensor | None, graph: Graph) -> bool:
        """Whether a call with these initial states continues this run.

        It does where it is given the very states that the run left, or equal ones, in one direction and
        without sequences that have ended. Calls that have derivatives and calls that have none are no run.
        """
        last = self.further[-1] if self.further else self
        if self.writer is not None:
            return False  # What has been written is not put together with what comes later.
        if not last.left:
            return False  # Another thread is at it.
        if self.layout.bidirectional or (self.batch, len(last.left)) != (batch, len(hx)):
            return False
        if self.lengths is not None or lengths is not None or self.graph != graph:
            return False
        pairs = zip(hx, last.left, strict=True)
        return all(a is b or _is_equal(a, b) for a, b in pairs)

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
        self.steps = self.length
        self.recordings = {
            place: joined_recordings([part.recordings[place] for part in parts]) for place in self.recordings
        }
        self.further = []

    def leave_out_derivatives(self, why: str) -> None:
        """They were not computed: nothing is to show 0 for them."""
        self.absent = why
        for recording in self.recordings.values():
            recording.forget_derivatives()


def _is_equal(a: Tensor, b: Tensor) -> bool:
    comparable = (a.shape, a.dtype, a.device) == (b.shape, b.dtype, b.device)
    return comparable and torch.equal(a, b)


def joined_recordings(parts: Sequence[Recording]) -> Recording:
    """One recording of parts that follow each other in time."""
    first = parts[0]
    whole = Recording(first.cell, first.parameters, first.progress)
    whole.initial = first.initial
    whole.precision = next((part.precision for part in parts if part.precision), "")
    for name in ("x", *first.cell.quantities):
        values = [part.value(name) for part in parts]
        whole.values[name] = _in_time(values)
        derivatives = [part.derivative(name) for part in parts]
        if any(d is not None for d in derivatives):
            pairs = zip(derivatives, values, strict=True)
            whole.derivatives[name] = _in_time([torch.zeros_like(v) if d is None else d for d, v in pairs])
    if all(part.reads is not None for part in parts):
        states = ["d" + state for state in first.cell.states]
        whole.reads = joined_reads(
            [(part.reads, [part.initial.get(d) for d in states]) for part in parts if part.reads is not None]
        )
    for name in first.parameters:
        shares = [part.parameter_derivatives[name] for part in parts if name in part.parameter_derivatives]
        if shares:
            whole.parameter_derivatives[name] = torch.stack(shares).sum(0)
    return whole


def _in_time(parts: list[Tensor]) -> Tensor:
    """One array of several; on the host where one of them is there."""
    if len({part.device for part in parts}) > 1:
        parts = [on_host(widened(part)) for part in parts]
    return torch.cat(parts)

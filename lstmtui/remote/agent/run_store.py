"""The runs of an agent, and views of them; what is missing is made again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from lstmtui.errors import UserError
from lstmtui.remote.wire.encoding import encode
from lstmtui.remote.wire.references import (
    ArrayShape,
    CursorReference,
    RunDescription,
    RunReference,
    ViewedRuns,
    is_lengths,
)
from lstmtui.session.compare import saved_run
from lstmtui.session.what_ifs import Engine
from lstmtui.trace import Trace, Traces
from lstmtui.view import Cursor, View

MOST_RUNS = 16
"""Runs with what-ifs and saved ones that are kept; the one that was used longest ago goes first."""

Progress = Callable[[str, int, int], None]


class RunStore:
    """Runs by reference.

    Args:
        traces: those that were opened.
        engine: what runs them again.
    """

    def __init__(self, traces: Trace | Traces, engine: Engine) -> None:
        self.several = isinstance(traces, Traces)
        self.traces = traces if isinstance(traces, Traces) else Traces({traces.name: traces})
        self._engine = engine
        self._runs: OrderedDict[bytes, Trace] = OrderedDict()

    @property
    def names(self) -> tuple[str, ...]:
        """The models, in order."""
        return tuple(self.traces)

    def run(self, reference: RunReference, progress: Progress | None = None) -> Trace:
        """The run a reference names.

        Raises:
            UserError: there is no such run.
        """
        if not 0 <= reference.model < len(self.traces):
            raise UserError(f"there is no model of number {reference.model}")
        if reference.is_recorded:
            return self.traces[self.names[reference.model]]
        key = encode(reference)
        if key not in self._runs:
            trace = self._made(reference, progress)
            if trace is None:
                raise UserError(f"{reference.path}: there is no saved trace any more")
            self._keep(key, trace)
        self._runs.move_to_end(key)
        return self._runs[key]

    def saved(self, reference: RunReference) -> Trace | None:
        """A saved run; None where there is no trace."""
        trace = self._made(reference, None)
        if trace is not None:
            self._keep(encode(reference), trace)
        return trace

    def view(self, runs: ViewedRuns | None, place: CursorReference) -> View:
        """A view of these runs, with its cursor there.

        Raises:
            UserError: there is no such run or place.
        """
        runs = runs or ViewedRuns(RunReference(place.model))
        trace = self.run(runs.run)
        recorded = trace if runs.baseline is None else self.run(runs.baseline)
        return View(trace, recorded, _cursor(trace, place))

    def _made(self, reference: RunReference, progress: Progress | None) -> Trace | None:
        name = self.names[reference.model]
        if reference.path is None:
            base: Trace | None = self.traces[name]
        else:
            base = saved_run(reference.path, name)
        if base is None or not (reference.edits or reference.loss):
            return base
        report = None if progress is None else lambda done, total: progress(name, done, total)
        edits = [replace(edit, model=name) for edit in reference.edits]
        return self._engine.rerun(base, edits, reference.loss, report)

    def _keep(self, key: bytes, trace: Trace) -> None:
        self._runs[key] = trace
        if len(self._runs) > MOST_RUNS:
            self._runs.popitem(last=False)


def describe(trace: Trace, like: Trace | None = None) -> RunDescription:
    """The description of a run that a client gets.

    Args:
        trace: the run.
        like: a run whose arrays have the same shapes; those of `trace` may not have been worked out yet.
    """
    similar = trace.arrays if like is None else like.arrays
    arrays = ((key, similar[key] if key in similar else trace.arrays[key]) for key in trace.arrays)
    shapes = tuple(ArrayShape(key, array.shape, array.dtype.str) for key, array in arrays)
    lengths = {key: np.asarray(trace.arrays[key]) for key in trace.arrays if is_lengths(key)}
    return RunDescription(trace.header, shapes, {"lengths": np.asarray(trace.lengths), **lengths})


def _cursor(trace: Trace, place: CursorReference) -> Cursor:
    """The cursor of a place, which has to be there.

    Raises:
        UserError: it is not.
    """
    if not (0 <= place.layer < len(trace.layers) and 0 <= place.batch < trace.batch):
        raise UserError("this run has no such layer or sequence")
    layer, last = trace.layers[place.layer], int(trace.lengths[place.batch]) - 1
    stage = place.stage or 0
    fits = 0 <= place.unit < layer.hidden_size and 0 <= place.t <= last
    fits = fits and place.direction in layer.directions and 0 <= stage < len(layer.layout.cell.stages)
    if not fits:
        raise UserError("this run has no such direction, unit, timestep or stage")
    return Cursor(trace.name, place.t, place.layer, place.direction, place.batch, place.unit, place.stage)

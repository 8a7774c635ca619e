"""The debugger over recorded traces: one cursor, moved by verbs, shown through views."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from lstmtui.analysis.layer_names import layer_name
from lstmtui.cells import Cell
from lstmtui.expressions import Vocabulary, vocabulary_of
from lstmtui.session.asked import Asked
from lstmtui.session.beginning import first_cursor, traces_by_name
from lstmtui.session.breakpoints import Breakpoints
from lstmtui.session.history import History
from lstmtui.session.open_question import OpenQuestion
from lstmtui.session.stages import next_stage, stage_after_return, stage_text
from lstmtui.session.stop import Kind, Stop
from lstmtui.session.watches import Watches
from lstmtui.session.what_ifs import Engine, WhatIfs
from lstmtui.trace import Layer, Trace
from lstmtui.trace.lengths import lengths_of
from lstmtui.view import Cursor, RemoteBackend, View
from lstmtui.wording import listed, numbered


class Session:
    """A walk through one or several traces of the same input.

    Args:
        traces: one trace, or several by model name; the first is selected.
        engine: what runs the models again for what-ifs; None: there are traces only.
        backend: what answers queries where the arrays are on another machine; None: in this process.

    Raises:
        UserError: there is no trace.
    """

    def __init__(
        self,
        traces: Trace | Mapping[str, Trace],
        engine: Engine | None = None,
        backend: RemoteBackend | None = None,
    ) -> None:
        self.engine = engine
        """What runs the models again; None: there are traces only."""
        self.says: Callable[[str], None] | None = None
        """Told what a command that takes long is at."""
        self.backend = backend
        """What answers queries where the arrays are on another machine; None: they are in this process."""
        self.traces = traces_by_name(traces)
        """As they were recorded, without what-ifs."""
        self.cursor = first_cursor(self.traces)
        self.breakpoints = Breakpoints()
        """Kept whatever is selected."""
        self.watches = Watches()
        """Kept whatever is selected."""
        self.compared: Trace | None = None
        """The run that `compare` named."""
        self.hidden: frozenset[str] = frozenset()
        """The quantities whose values no panel shows until `reveal`, or until a question is answered."""
        self.asked: Asked | None = None
        """What `why` or `where` was last asked of, which lanes show."""
        self.question: OpenQuestion | None = None
        """What `ask` asked, until it is answered."""
        self.is_attended = False
        """Whether somebody can answer a question; where nobody can, `ask` answers it itself."""
        self.what_ifs = None if engine is None else WhatIfs(engine, self.traces)
        """The what-ifs, kept whatever is selected; None where no model can be run again."""
        self.history = History()
        """What it was at before."""

    def renew(self, traces: Trace | Mapping[str, Trace]) -> None:
        """Continue with newer traces of these models, such as a recording that has grown.

        The cursor stays where it is as far as that is there; breakpoints and watches are kept. What-ifs are
        of the runs there were: take them back first.

        Raises:
            UserError: there is no trace; everything is as it was.
        """
        new = traces_by_name(traces)
        name = next((n for n, trace in self.traces.items() if trace is self.compared), None)
        if name is not None:
            self.compared = new.get(name)
        self.traces = new
        if self.what_ifs is not None:
            self.what_ifs.recorded = new
        model = self.cursor.model
        self._select("", model=model if model in new else next(iter(new)))

    @property
    def changed(self) -> Mapping[str, Trace]:
        """The runs with what-ifs, of the models that have any."""
        return {} if self.what_ifs is None else self.what_ifs.runs

    @property
    def trace(self) -> Trace:
        """The selected model's trace, with its what-ifs where it has any."""
        return self.changed.get(self.cursor.model, self.baseline)

    @property
    def baseline(self) -> Trace:
        """The selected model's trace as it was recorded."""
        return self.traces[self.cursor.model]

    @property
    def other(self) -> Trace | None:
        """What the selected run is held against: what `compare` named, else the run without what-ifs."""
        if self.compared is not None and self.compared is not self.baseline:
            return self.compared
        return None if self.trace is self.baseline else self.baseline

    @property
    def unseen(self) -> frozenset[str]:
        """What no panel shows: the hidden quantities, and of y and h the other where y is h itself."""
        copies = {"h", "y"} if self.trace.header.output_kind == "hidden" else set()
        return self.hidden | copies if copies & self.hidden else self.hidden

    @property
    def vocabulary(self) -> Vocabulary:
        """The words that a command may use: the cells', and the names of recorded code."""
        return vocabulary_of(self.traces.values())

    @property
    def view(self) -> View:
        """The selected run and place: all that a query depends on."""
        return View(self.trace, self.baseline, self.cursor, self.backend)

    def view_of(self, model: str) -> View:
        """The same of another model, at the nearest place that it has."""
        recorded = self.traces[model]
        trace = self.changed.get(model, recorded)
        cursor = replace(self.cursor, model=model).fitted_to(trace)
        return View(trace, recorded, cursor, self.backend)

    @property
    def layer(self) -> Layer:
        """The selected layer."""
        return self.view.layer

    @property
    def cell(self) -> Cell:
        """The selected layer's cell."""
        return self.view.cell

    @property
    def last_t(self) -> int:
        """The last timestep that the selected layer has of the selected sequence."""
        return self.view.last_t

    def step(self, count: int = 1) -> Stop:
        """Go `count` timesteps forward; stops at the end."""
        return self._walk(count)

    def back(self, count: int = 1) -> Stop:
        """Go `count` timesteps back; stops at the start."""
        return self._walk(-count)

    def goto(self, t: int) -> Stop:
        """Go to timestep t."""
        if not 0 <= t <= self.last_t:
            return Stop("refused", f"t={t}: {self._whole} has t=0 to t={self.last_t}")
        return self._move("goto", f"at t={t}", t=t)

    def first(self) -> Stop:
        """Go to the first timestep."""
        return self.goto(0)

    def last(self) -> Stop:
        """Go to the last timestep."""
        return self.goto(self.last_t)

    def into(self) -> Stop:
        """Evaluate the next equation of this timestep; after the last one, the first of the next timestep.

        In recorded code it is the next binding, also in a function that is called.
        """
        cursor = self.cursor
        stage = next_stage(self.layer, 0 if cursor.stage is None else cursor.stage + 1, cursor.t)
        if stage is not None:
            return self._at_stage("into", stage, cursor.t)
        if cursor.t == self.last_t:
            return Stop("end", f"the end: t={cursor.t} is the last timestep")
        return self._at_stage("into", next_stage(self.layer, 0, cursor.t + 1) or 0, cursor.t + 1)

    def out(self) -> Stop:
        """Back to whole timesteps; out of a function of recorded code: to what its caller binds next."""
        cursor = self.cursor
        if cursor.stage is None:
            return Stop("refused", "already at whole timesteps; `into` goes inside one")
        caller = stage_after_return(self.layer, cursor.stage, cursor.t)
        if caller is not None:
            return self._at_stage("out", caller, cursor.t)
        return self._move("out", f"whole timesteps, t={cursor.t}", stage=None)

    def select_model(self, name: str) -> Stop:
        """Look at another model at the same place, as far as it has one."""
        if name not in self.traces:
            return Stop("refused", f"model {name}: the models are: {', '.join(self.traces)}")
        words = f"model {name}", self.traces[name].header.untrained
        return self._select(", ".join(filter(None, words)), model=name)

    def select_layer(self, layer: int) -> Stop:
        """Look at another layer."""
        if not 0 <= layer < len(self.trace.layers):
            return Stop(
                "refused", f"layer {layer}: this model has {numbered(len(self.trace.layers), 'layer')}"
            )
        return self._select(f"layer {layer} {layer_name(self.trace, layer)}".rstrip(), layer=layer)

    def select_direction(self, direction: str) -> Stop:
        """Look at the forward or the backward direction."""
        if direction not in self.layer.directions:
            return Stop("refused", f"direction {direction}: this layer has {listed(self.layer.directions)}")
        return self._select(f"direction {direction}", direction=direction)

    def select_batch(self, batch: int) -> Stop:
        """Look at another sequence of the batch."""
        if not 0 <= batch < self.trace.batch:
            return Stop("refused", f"batch {batch}: this run has {numbered(self.trace.batch, 'sequence')}")
        if not lengths_of(self.trace, self.cursor.layer)[batch]:
            return Stop("refused", f"batch {batch}: layer {self.cursor.layer} has not read this sequence")
        return self._select(f"batch {batch}", batch=batch)

    def select_unit(self, unit: int) -> Stop:
        """Look at another unit."""
        if not 0 <= unit < self.layer.hidden_size:
            return Stop("refused", f"unit {unit}: this layer has {numbered(self.layer.hidden_size, 'unit')}")
        return self._select(f"unit {unit}", unit=unit)

    def visit(self, place: Cursor) -> None:
        """Go to a place in one of the models, as far as the place exists there."""
        self._select("", **vars(place))

    @property
    def _whole(self) -> str:
        """What ends at `last_t`, in words: the sequence, or the selected layer where that is shorter."""
        is_short = self.last_t + 1 < int(self.trace.lengths[self.cursor.batch])
        return f"layer {self.cursor.layer}" if is_short else "this sequence"

    def _walk(self, count: int) -> Stop:
        t = self.cursor.t + count
        if t < 0:
            return self._move("start", "the start: t=0 is the first timestep", t=0)
        if t > self.last_t:
            return self._move("end", f"the end: t={self.last_t} is the last timestep", t=self.last_t)
        return self._move("step", f"t={t}", t=t)

    def _at_stage(self, kind: Kind, stage: int, t: int) -> Stop:
        return self._move(kind, f"{stage_text(self.layer, stage)} at t={t}", t=t, stage=stage)

    def _move(self, kind: Kind, text: str, **changes: int | None) -> Stop:
        self.cursor = replace(self.cursor, **changes)  # type: ignore[arg-type]
        return Stop(kind, text)

    def _select(self, text: str, **changes: int | str | None) -> Stop:
        """Select something else, and keep the rest of the cursor as far as it still fits."""
        self.cursor = replace(self.cursor, **changes)  # type: ignore[arg-type]
        cursor = self.cursor.fitted_to(self.trace)
        lengths = lengths_of(self.trace, cursor.layer)
        if not lengths[cursor.batch]:
            cursor = replace(cursor, batch=int(lengths.argmax())).fitted_to(self.trace)
        self.cursor = cursor
        return Stop("select", text)

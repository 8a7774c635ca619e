"""[[model]] with onnx = …, where the whole graph is run on the input."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lstmtui.arrays import Array
from lstmtui.closest import closest
from lstmtui.models.onnx.graph_request import GraphRequest
from lstmtui.printable import printable
from lstmtui.scenario.models.graph_axes import fitting_steps, laid_out, order_of_axes
from lstmtui.scenario.models.graph_inputs import given_array, zeros_for
from lstmtui.scenario.problem import one_of, shown
from lstmtui.scenario.report import DataError, Report
from lstmtui.scenario.scenario import GraphSpec, Input, Stream
from lstmtui.scenario.schema import FileModelTable, SessionTable
from lstmtui.scenario.validation import validate
from lstmtui.wording import counted

if TYPE_CHECKING:
    from lstmtui.models.onnx.graph import GraphValue
    from lstmtui.models.onnx.layer import OnnxFile
    from lstmtui.scenario.lines import Location

GRAPH_KEYS = ("inputs", "state", "output", "session", "batch_first")
"""The keys of a [[model]] that are about the whole graph."""
_NODE_KEYS = ("initial", "cell", "hidden_size", "num_layers", "bidirectional", "proj_size", "bias")
_FLOATS, _WHOLE = ("float32", "float64", "float16"), ("int64", "int32")
_MOST_CALLS = 1 << 18
_SLOWEST_RATE = 4_000
"""From here on a whole number that a graph is given may be a sound's samples a second."""


def is_whole_graph(table: FileModelTable, file: OnnxFile, source: Input | None) -> bool:
    """Whether a [[model]] means the whole graph, and not one of its recurrent nodes by itself.

    A node by itself is meant where its name or its initial state is given, or where it is all there is.
    """
    if any(getattr(table, key) is not None for key in GRAPH_KEYS):
        return True
    if source is not None and source.stream is not None:
        return True
    if table.module is not None or any(getattr(table, key) is not None for key in _NODE_KEYS):
        return False
    return file.is_more_than_a_layer


class GraphReader:
    """Reads such a [[model]].

    Args:
        table: of the scenario.
        file: what the ONNX model holds.
        folder: the scenario's, which file names are relative to.
        source: the input.
        place: of the table.
        report: gets every problem.
    """

    def __init__(
        self,
        table: FileModelTable,
        file: OnnxFile,
        folder: Path,
        source: Input,
        place: Location,
        report: Report,
    ) -> None:
        self._table, self._file, self._folder = table, file, folder
        self._source, self._place, self._report = source, place, report
        self._stream = source.stream or Stream()
        self._notes: list[str] = []

    def read(self, name: str) -> GraphSpec | None:
        """The model, or None where it has problems.

        Args:
            name: of the model.
        """
        before = len(self._report)
        self._check_keys()
        states = self._states()
        session, _ = validate(
            SessionTable, self._table.session or {}, (*self._place, "session"), self._report
        )
        module = self._module()
        fed = self._fed(states)
        fixed = self._fixed(states, fed)
        output = self._output(states)
        if fed is None or output is None or len(self._report) > before:
            return None
        self._note_rate(fixed)
        pieces, order = self._pieces(fed)
        if len(self._report) > before:
            return None
        request = GraphRequest(fixed, pieces, states, module, session.threads, tuple(session.providers))
        batch_first = "b" in order and order.index("b") < order.index("t")
        path = self._folder / (self._table.onnx or "")
        return GraphSpec(name, path, request, output, batch_first, session.seconds, tuple(self._notes))

    def _check_keys(self) -> None:
        for key in _NODE_KEYS:
            if getattr(self._table, key) is not None:
                wrong = "is for a node that runs by itself, and the whole graph is run"
                allowed = "say inputs = { … } and state = { … }" if key == "initial" else "leave it out"
                self._report.add((*self._place, key), wrong, allowed)

    def _module(self) -> str:
        """The place of the node that is recorded; empty for all."""
        module = self._table.module
        if module is None:
            return ""
        layer = self._file.layer(module)
        if layer is None:
            names = [layer.path for layer in self._file.layers]
            wrong = f"the graph has no recurrent node {shown(module)}"
            self._report.add((*self._place, "module"), wrong, one_of(names), closest(module, names))
            return ""
        return layer.path

    def _states(self) -> dict[str, str]:
        """The inputs that get what an output of the call before was."""
        own = self._table.state is not None
        states = dict((self._table.state if own else self._stream.states) or {})
        place: Location = (*self._place, "state") if own else ("input", "state")
        inputs = [value.name for value in self._file.inputs]
        outputs = [value.name for value in self._file.outputs]
        for name, output in states.items():
            if name not in inputs:
                wrong = f"the graph has no input {shown(name)}"
                self._report.add((*place, name), wrong, one_of(inputs), closest(name, inputs))
            if output not in outputs:
                wrong = f"the graph has no output {shown(output)}"
                self._report.add((*place, name), wrong, one_of(outputs), closest(output, outputs))
        return states

    def _fed(self, states: Mapping[str, str]) -> GraphValue | None:
        """The graph's input that [input] goes into: the first of its kind that nothing else is said of."""
        taken = {*(self._table.inputs or {}), *states, *self._file.state_inputs}
        kinds = _FLOATS if self._source.tokens is None else _WHOLE
        free = [value for value in self._file.inputs if value.name not in taken]
        fed = next((value for value in free if value.kind in kinds), None)
        if fed is None:
            what = "numbers" if self._source.tokens is None else "ids"
            takes = "; ".join(map(str, self._file.inputs)) or "nothing"
            self._add(f"the graph has no input left for {what}", f"it takes {takes}")
            return None
        return fed

    def _fixed(self, states: Mapping[str, str], fed: GraphValue | None) -> dict[str, Array]:
        """The inputs that are the same in every call, and the states as they begin."""
        inputs, arrays = dict(self._table.inputs or {}), {}
        names = [value.name for value in self._file.inputs]
        for name in inputs.keys() - {*names}:
            wrong = f"the graph has no input {shown(name)}"
            self._report.add((*self._place, "inputs", name), wrong, one_of(names), closest(name, names))
        for value in self._file.inputs:
            if fed is not None and value.name == fed.name:
                continue
            try:
                if value.name in inputs:
                    arrays[value.name] = given_array(
                        inputs[value.name], value, self._source.batch, self._folder
                    )
                elif value.name in states or value.name in self._file.state_inputs:
                    arrays[value.name] = zeros_for(value, self._source.batch)
                    if value.name not in states:
                        how = "in every call" if self._stream.chunk else "unless `inputs` says otherwise"
                        self._notes.append(f"the graph's input {printable(value.name)} is zero {how}")
                else:
                    key = printable(value.name)
                    self._add(f"the graph's input {value} is not given", f"say inputs = {{ {key} = … }}")
            except DataError as error:
                self._report.add_error((*self._place, "inputs", value.name), error)
        return arrays

    def _note_rate(self, fixed: Mapping[str, Array]) -> None:
        """Say how fast a sound is where the graph is given another rate: it would just answer wrongly."""
        rate = self._source.sound_rate
        numbers = {name: array.item() for name, array in fixed.items() if array.size == 1}
        rates = {name: n for name, n in numbers.items() if isinstance(n, int) and n >= _SLOWEST_RATE}
        if rate and rates and {*rates.values()} != {rate}:
            rates_text = ", ".join(f"{printable(name)} = {n:,}" for name, n in rates.items())
            self._notes.append(
                f"the sound has {rate:,} samples a second, and the graph is given {rates_text}"
            )

    def _output(self, states: Mapping[str, str]) -> str | None:
        """The output that is y."""
        outputs = self._file.outputs
        chosen = self._table.output
        if chosen is not None:
            names = [value.name for value in outputs]
            if chosen not in names:
                wrong = f"the graph has no output {shown(chosen)}"
                self._report.add((*self._place, "output"), wrong, one_of(names), closest(chosen, names))
                return None
            return chosen
        if not outputs:
            self._add("the graph gives nothing", "export it with an output")
        others = [value for value in outputs if value.name not in states.values()]
        return next((value.name for value in (*others, *outputs)), None)

    def _pieces(self, fed: GraphValue) -> tuple[list[dict[str, Array]], str]:
        """What each call gets of the input, and in which order of axes."""
        source, stream = self._source, self._stream
        data = source.values if source.tokens is None else source.tokens
        assert data is not None
        steps = stream.chunk + stream.context if stream.chunk else source.steps
        batch_first = self._table.batch_first
        if batch_first is None and fed.name in (*self._file.batch_first, *self._file.time_first):
            batch_first = fed.name in self._file.batch_first
        order = order_of_axes(
            fed.shape, (steps, source.batch, source.size), source.tokens is not None, batch_first
        )
        if order == "ti" and source.sound_rate and isinstance((fed.shape or ("",))[-1], str):
            order = ""  # Samples side by side with channels: no graph's open axis is that.
        if not order:
            fitting = fitting_steps(
                fed.shape, source.batch, source.size, source.tokens is not None, batch_first
            )
            wrong = f"the graph takes {fed}, and {_sizes(source, steps)} does not fit"
            self._add(wrong, _advice(fitting, source))
            return [], ""
        calls = -(-source.steps // stream.chunk) if stream.chunk else 1
        if calls > _MOST_CALLS:
            wrong = f"makes {calls:,} calls of the graph"
            self._report.add(("input", "chunk"), wrong, f"at most {_MOST_CALLS:,}")
            return [], ""
        dtype = np.dtype(fed.kind)
        if not stream.chunk:
            return [{fed.name: laid_out(data, order).astype(dtype)}], order
        left_over = calls * stream.chunk - source.steps
        if left_over:
            self._notes.append(f"the last of {calls:,} calls is filled up with {counted(left_over, 'zero')}")
        ends = [(stream.context, left_over), *((0, 0) for _ in data.shape[1:])]
        padded = np.pad(data, ends)
        pieces = [padded[n * stream.chunk : n * stream.chunk + steps] for n in range(calls)]
        return [{fed.name: laid_out(piece, order).astype(dtype)} for piece in pieces], order

    def _add(self, wrong: str, allowed: str) -> None:
        self._report.add((*self._place, "onnx"), wrong, allowed)


def _sizes(source: Input, steps: int) -> str:
    channels = f", {counted(source.size, 'channel')}" if source.tokens is None else ""
    return f"[input] (T={steps:,} in each call, B={source.batch}{channels})"


def _advice(fitting: int, source: Input) -> str:
    """How the input would fit; `fitting` is how many timesteps the graph would take at once, or 0."""
    if fitting > 1:
        return f"say [input] chunk = {fitting}, or a chunk and a context that are {fitting} together"
    if fitting:
        return "say [input] chunk = 1"
    if source.sound_rate and source.size > 1:
        return "say [input] columns = [0] for one channel of the sound"
    return "batch_first = true or false says which axis is time; module = … runs one node by itself"

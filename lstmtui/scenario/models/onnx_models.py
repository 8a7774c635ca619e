"""[[model]] with onnx = …: an ONNX graph, or an LSTM, GRU or RNN node of one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lstmtui.arrays import Array
from lstmtui.cells.layout import Layout
from lstmtui.scenario.models.file_model_reader import MOST, FileModelReader
from lstmtui.scenario.models.graph_models import GraphReader, is_whole_graph
from lstmtui.scenario.models.initial_states import spread
from lstmtui.scenario.models.layers_in_file import read_onnx
from lstmtui.scenario.numbers.data import file_kind
from lstmtui.scenario.problem import short, shown
from lstmtui.scenario.report import DataError
from lstmtui.scenario.scenario import GraphSpec, ModelSpec
from lstmtui.wording import counted

if TYPE_CHECKING:
    from lstmtui.models.onnx.layer import OnnxFile, OnnxLayer


class OnnxReader(FileModelReader):
    """Reads a [[model]] of an ONNX graph, or of one of its recurrent nodes."""

    origin = "onnx"

    def read(self) -> ModelSpec | GraphSpec | None:
        """The model, or None where it has problems."""
        try:
            file_kind(self.file, (".onnx",))
            path = self.folder / self.file
            file = self._onnx_files.get(path) or read_onnx(path)
            self._onnx_files[path] = file
        except DataError as error:
            self.report.add_error((*self.place, self.origin), error)
            return None
        if not file.layers:
            self.report.add((*self.place, self.origin), f"{self.shown_file}: {file.why_none}")
            return None
        if is_whole_graph(self.table, file, self.source):
            return self._whole(file)
        return self._node(file)

    def _whole(self, file: OnnxFile) -> GraphSpec | None:
        """The whole graph."""
        name = self.unique_name(self.table.name, short(Path(self.file).stem), self.origin)
        if self.broken or self.source is None:
            return None
        reader = GraphReader(self.table, file, self.folder, self.source, self.place, self.report)
        return reader.read(name)

    def _node(self, file: OnnxFile) -> ModelSpec | None:
        """A node by itself, with those that are stacked on it."""
        before, module = len(self.report), self.table.module
        named = None if module is None else file.layer(module)
        layer = self.choose(file.layers, module if named is None else named.path)
        if layer is None:
            return None
        layout = layer.layout
        assert layout is not None
        cell = self.table.cell
        if cell is not None and cell != layout.cell.name:
            wrong = f"is {shown(cell)}, the node is {layout.cell.name}"
            self.report.add((*self.place, "cell"), wrong, "leave it out")
        name = self.unique_name(self.table.name, self.default_name(layer), self.origin)
        self.check_sizes(layout)
        self.check_input(layout, "an ONNX model's embedding is not run: give the node's own input")
        self._check_lengths(layer)
        initial = self._initial(layer, layout)
        if len(self.report) > before or self.broken or self.source is None:
            return None
        notes = layer.notes
        if layer.reverse:
            notes += (
                f"{self.default_name(layer)} reads the sequence from its end: time is turned round here, "
                "t = 0 is the last timestep of the input",
            )
        return ModelSpec(
            name,
            layout,
            None,
            None,
            None,
            layer.parameters(),
            initial,
            self.origin,
            layer.reverse,
            notes,
        )

    def _initial(self, layer: OnnxLayer, layout: Layout) -> dict[str, Array]:
        """The scenario's initial states, and the model's own constants for those it leaves out."""
        initial = self.initial(layout)
        is_set = self.table.initial is not None
        for state in {key[-1] + "0" for node in layer.nodes for key in node.computed}:
            if not is_set:
                wrong = f"initial_{state[0]} is worked out by other nodes of the graph, which are not run"
                allowed = f"say initial = {{ {state} = … }}, or leave module out, and the whole graph is run"
                self.report.add((*self.place, self.origin), wrong, allowed)
        if self.source is None:
            return initial
        constants = {state: array for state, array in layer.initial().items() if state not in initial}
        for state, array in constants.items():
            if array.ndim == 3 and array.shape[1] != self.source.batch:
                fixed = f"initial_{state[0]} is for {counted(array.shape[1], 'sequence')} for ever"
                wrong = f"{fixed}, the input has {counted(self.source.batch, 'sequence')}"
                self.report.add((*self.place, self.origin), wrong, f"say initial = {{ {state} = … }}")
                return initial
        try:
            own = {
                state: spread(array, layout, state[0], self.source.batch)
                for state, array in constants.items()
            }
        except (DataError, ValueError) as error:
            wrong = error.wrong if isinstance(error, DataError) else "does not fit the other nodes"
            self.report.add((*self.place, self.origin), f"the model's initial state {wrong}")
            return initial
        return own | initial

    def _check_lengths(self, layer: OnnxLayer) -> None:
        """A constant sequence_lens must be that of the input, which has its own."""
        if layer.lengths is None or self.source is None:
            return
        steps, batch = self.source.steps, self.source.batch
        own = [steps] * batch if self.source.lengths is None else self.source.lengths.tolist()
        if layer.lengths.reshape(-1).tolist() != own:
            fixed = short(", ".join(map(str, layer.lengths.reshape(-1)[:MOST])))
            wrong = f"sequence_lens is {fixed} for ever, the input has {counted(batch, 'sequence')}"
            lengths = short(", ".join(map(str, own[:MOST])))
            self.report.add((*self.place, self.origin), f"{wrong} of {lengths} timesteps")

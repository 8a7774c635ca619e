"""[[model]] with checkpoint = …: a recurrent layer of a .safetensors, .pt or .pth file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmtui.closest import closest
from lstmtui.models.checkpoints.names import plain_path
from lstmtui.scenario.models.checkpoints import Checkpoint
from lstmtui.scenario.models.embedding_and_head import EmbeddingAndHead, named_around
from lstmtui.scenario.models.file_model_reader import FileModelReader
from lstmtui.scenario.problem import one_of, shown
from lstmtui.scenario.report import DataError
from lstmtui.scenario.scenario import ModelSpec

if TYPE_CHECKING:
    from lstmtui.models.checkpoints.found_layer import FoundLayer


class CheckpointReader(FileModelReader):
    """Reads a [[model]] of a recurrent layer in a .safetensors, .pt or .pth file."""

    origin = "checkpoint"

    def read(self) -> ModelSpec | None:
        """The model, or None where it has problems."""
        before = len(self.report)
        try:
            file = Checkpoint(self.folder / self.file)
        except DataError as error:
            self.report.add_error((*self.place, self.origin), error)
            return None
        module = self.table.module
        used = named_around(self.table)
        layers = [layer.checked(used) for layer in file.layers]
        paths = {layer.path for layer in layers}
        layer = self.choose(layers, module if module in paths or not module else plain_path(module))
        if layer is None:
            return None
        layer, notes = self._as_cell(layer)
        layout = layer.layout
        assert layout is not None
        name = self.unique_name(self.table.name, self.default_name(layer), self.origin)
        self.check_sizes(layout)
        around = EmbeddingAndHead(file, self.table, layout, self.source, self.place, self.report)
        if around.embedding is None and not self.table.embedding:
            self.check_input(layout, around.embedding_advice())
        initial = self.initial(layout)
        if len(self.report) > before or self.broken or self.source is None:
            return None
        try:
            parameters = {name: file.read_floats(full) for name, full in layer.names.items()}
            parameters |= around.parameters(self.source.size)
        except DataError as error:
            self.report.add_error((*self.place, self.origin), error)
            return None
        return ModelSpec(
            name,
            layout,
            around.head,
            around.embedding,
            None,
            parameters,
            initial,
            self.origin,
            notes=notes,
        )

    def _as_cell(self, layer: FoundLayer) -> tuple[FoundLayer, tuple[str, ...]]:
        """The layer as the cell that the scenario names, where its parameters fit that one."""
        cell = self.table.cell
        if cell is None:
            others = " or ".join(f'cell = "{other}"' for other in layer.cells[1:])
            more = f"; {others} says otherwise" if others else ""
            return layer, tuple(f"{self.default_name(layer)}: {note}{more}" for note in layer.notes)
        if cell not in layer.cells:
            fits = f"is {shown(cell)}, the parameters are those of {' or '.join(layer.cells)}"
            self.report.add((*self.place, "cell"), fits, one_of(layer.cells), closest(cell, layer.cells))
            return layer, ()
        return layer.as_cell(cell), ()

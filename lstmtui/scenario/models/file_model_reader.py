"""What [[model]] tables have in common whose sizes and weights come from a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from lstmtui.arrays import Array
from lstmtui.cells.layout import Layout
from lstmtui.closest import closest
from lstmtui.scenario.limits import MAX_ELEMENTS
from lstmtui.scenario.models.initial_states import read_initial
from lstmtui.scenario.models.model_reader import Context, ModelReader
from lstmtui.scenario.models.parameters import count
from lstmtui.scenario.problem import short, shown
from lstmtui.scenario.schema import FileModelTable
from lstmtui.scenario.validation import validate
from lstmtui.wording import counted

if TYPE_CHECKING:
    from lstmtui.models.checkpoints.found_layer import FoundLayer
    from lstmtui.models.onnx.layer import OnnxLayer

    AnyLayer = FoundLayer | OnnxLayer

T = TypeVar("T", "FoundLayer", "OnnxLayer")
MOST = 8
"""How many of a file's recurrent layers are named."""
_SIZES = ("hidden_size", "num_layers", "bidirectional", "proj_size", "bias")


class FileModelReader(ModelReader):
    """Reads a [[model]] with checkpoint = … or onnx = …."""

    origin = ""

    def __init__(self, raw: Mapping[str, Any], position: int, context: Context) -> None:
        super().__init__(position, context)
        self.table, self.broken = validate(FileModelTable, raw, self.place, self.report)
        self.file: str = getattr(self.table, self.origin) or ""

    @property
    def shown_file(self) -> str:
        """The file's name, for messages."""
        return short(Path(self.file).name)

    def choose(self, layers: Sequence[T], module: str | None) -> T | None:
        """The layer that `module` names, or the only one; None, and reported, where there is none."""
        names = "; ".join(short_sizes(layer) for layer in layers[:MOST])
        more = f"; and {len(layers) - MOST} more" if len(layers) > MOST else ""
        allowed = f"allowed: {names}{more}"
        if not layers:
            self.report.add((*self.place, self.origin), f"{self.shown_file} holds no recurrent layer")
            return None
        if module is None and len(layers) > 1:
            wrong = f"missing: {self.shown_file} holds {len(layers)} recurrent layers"
            self.report.add((*self.place, "module"), wrong, allowed)
            return None
        layer = layers[0] if module is None else next((s for s in layers if s.path == module), None)
        if layer is None:
            wrong = f"{self.shown_file} has no recurrent layer {shown(module)}"
            meant = short(closest(module or "", (s.path for s in layers)))
            self.report.add((*self.place, "module"), wrong, allowed, meant)
        elif layer.layout is None:
            key = self.origin if module is None else "module"
            where = f"{short(layer.path)}: " if layer.path else ""
            self.report.add((*self.place, key), f"{self.shown_file}: {where}{layer.wrong}")
            return None
        return layer

    def check_sizes(self, layout: Layout) -> None:
        """Report sizes that the scenario gives and the file has otherwise, and a size that is too large."""
        for key in _SIZES:
            size, stored_size = getattr(self.table, key), getattr(layout, key)
            if size is not None and size != stored_size:
                wrong = f"is {shown(size)}, {self.shown_file} has {shown(stored_size)}"
                self.report.add((*self.place, key), wrong, "leave it out")
        if count(layout.shapes()) > MAX_ELEMENTS:
            wrong = f"the layer has {count(layout.shapes()):,} parameters"
            self.report.add((*self.place, self.origin), wrong, f"at most {MAX_ELEMENTS:,}")

    def check_input(self, layout: Layout, allowed: str = "") -> None:
        """Report an input of another size than the layer takes."""
        if self.source is None or self.source.size == layout.input_size:
            return
        has = "the input has" if self.source.tokens is None else "tokens, one-hot, have"
        takes = counted(layout.input_size, "number")
        wrong = f"the layer takes {takes} at each timestep, {has} {self.source.size:,}"
        if self.source.tokens is None:
            allowed = "choose columns that it was trained on, or another layer by module"
        self.report.add((*self.place, self.origin), wrong, allowed)

    def initial(self, layout: Layout) -> dict[str, Array]:
        """The initial states that the scenario gives."""
        batch = self.source.batch if self.source else None
        place = (*self.place, "initial")
        return read_initial(self.table.initial, layout, batch, self.folder, place, self.report)

    def default_name(self, layer: AnyLayer) -> str:
        """The layer's path, or the file's name where it has none."""
        return short(layer.path) or short(Path(self.file).stem)


def short_sizes(layer: AnyLayer) -> str:
    """A layer and its sizes, cut off where it is too long for a message."""
    text = str(layer)
    return (
        short(text)
        if layer.layout is None
        else short(text.rpartition(": ")[0]) + ": " + text.rpartition(": ")[2]
    )

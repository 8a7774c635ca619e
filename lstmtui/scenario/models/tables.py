"""[[model]]: the models of a scenario, with their weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lstmtui.arrays import Array
from lstmtui.cells import CELLS
from lstmtui.cells.layout import Layout
from lstmtui.closest import closest
from lstmtui.scenario.limits import MAX_ELEMENTS, MAX_MODELS
from lstmtui.scenario.models.checkpoint_models import CheckpointReader
from lstmtui.scenario.models.factory_models import FactoryReader
from lstmtui.scenario.models.initial_states import read_initial
from lstmtui.scenario.models.model_reader import Context, ModelReader, origin_of
from lstmtui.scenario.models.onnx_models import OnnxReader
from lstmtui.scenario.models.parameters import (
    check_weights_name,
    count,
    expected_shapes,
    read_inline,
    read_weights,
)
from lstmtui.scenario.problem import one_of, shown
from lstmtui.scenario.scenario import AnySpec, ModelSpec
from lstmtui.scenario.schema import OwnModelTable
from lstmtui.scenario.validation import validate


def read_models(raw: Sequence[Mapping[str, Any]], context: Context) -> tuple[tuple[int, AnySpec], ...]:
    """Every [[model]] without problems, each with its position in the file.

    Args:
        raw: the tables.
        context: what they are read beside.
    """
    report = context.report
    if len(raw) > MAX_MODELS:
        report.add(("model", MAX_MODELS), f"there are {len(raw):,} models", f"at most {MAX_MODELS}")
    models: list[tuple[int, AnySpec]] = []
    for position, table in enumerate(raw[:MAX_MODELS]):
        model = _READERS[origin_of(table, position, report)](table, position, context).read()
        if model is not None:
            models.append((position, model))
    stream = None if context.source is None else context.source.stream
    if stream is not None and not any("onnx" in table for table in raw):
        key = "chunk" if stream.chunk else "state"
        report.add(("input", key), "is for ONNX graphs, and no model is one", "leave it out")
    return tuple(models)


class OwnReader(ModelReader):
    """Reads a [[model]] that gives its own sizes."""

    def __init__(self, raw: Mapping[str, Any], position: int, context: Context) -> None:
        super().__init__(position, context)
        self.table, self.broken = validate(OwnModelTable, raw, self.place, self.report)

    def read(self) -> ModelSpec | None:
        """The model, or None where it has problems."""
        before = len(self.report)
        table = self.table
        name = self.unique_name(table.name, table.cell or "", "cell")
        layout = self._layout()
        shapes = self._shapes(layout)
        parameters = self._parameters(shapes, layout)
        batch = self.source.batch if self.source else None
        place = (*self.place, "initial")
        initial = read_initial(table.initial, layout, batch, self.folder, place, self.report)
        if len(self.report) > before or self.broken or layout is None or self.source is None:
            return None
        seed = None if parameters is not None else table.seed or 0
        return ModelSpec(
            name,
            layout,
            table.head,
            table.embedding,
            seed,
            parameters,
            initial,
            weights=table.weights or "",
            position=self.position,
        )

    def _layout(self) -> Layout | None:
        """The sizes; None where they are not known or not possible."""
        table, report = self.table, self.report
        for key in ("cell", "hidden_size"):
            if getattr(table, key) is None and key not in self.broken:
                allowed = one_of(CELLS) if key == "cell" else "the number of units"
                report.add((*self.place, key), "missing", allowed)
        if table.cell is not None and table.cell not in CELLS:
            wrong = f"is {shown(table.cell)}"
            report.add((*self.place, "cell"), wrong, one_of(CELLS), closest(table.cell, CELLS))
            return None
        if table.cell is None or table.hidden_size is None:
            return None
        size = self._input_size()
        layout = Layout(
            CELLS[table.cell],
            size or 1,
            table.hidden_size,
            1 if table.num_layers is None else table.num_layers,
            bool(table.bidirectional),
            table.proj_size or 0,
            table.bias is not False,
            tuple((table.sizes or {}).items()),
        )
        problems = layout.problems()
        own = table.sizes or {}
        for field, sentence in problems:
            inside = ("sizes", field) if field in own else (field,)
            report.add((*self.place, *inside), sentence)
        return layout if size is not None and not problems else None

    def _input_size(self) -> int | None:
        """What the cells see: the embedding, the channels, or one value per word of the vocabulary."""
        source, embedding = self.source, self.table.embedding
        if source is None:
            return None
        if source.tokens is None:
            if embedding is not None:
                wrong = "the input is numbers"
                self.report.add((*self.place, "embedding"), wrong, "an embedding is for tokens and text")
            return source.size
        if embedding is None and source.tokens.size * source.size > MAX_ELEMENTS:
            wrong = f"missing: one-hot, the tokens would be more than {MAX_ELEMENTS:,} numbers"
            self.report.add((*self.place, "embedding"), wrong)
        return embedding or source.size

    def _shapes(self, layout: Layout | None) -> dict[str, tuple[int, ...]] | None:
        """The parameters the model needs; None where its sizes are not known or too large."""
        if layout is None or self.source is None:
            return None
        shapes = expected_shapes(layout, self.source.size, self.table.embedding, self.table.head)
        if count(shapes) > MAX_ELEMENTS:
            wrong = f"the model would have {count(shapes):,} parameters"
            self.report.add((*self.place, "hidden_size"), wrong, f"at most {MAX_ELEMENTS:,}")
            return None
        return shapes

    def _parameters(
        self, shapes: dict[str, tuple[int, ...]] | None, layout: Layout | None
    ) -> dict[str, Array] | None:
        """The parameters from the one place that gives them; None where they are drawn from the seed."""
        table = self.table
        keys = [key for key in ("weights", "parameters", "seed") if getattr(table, key) is not None]
        if len(keys) > 1:
            wrong = f"there are {keys[0]} already"
            self.report.add((*self.place, keys[1]), wrong, "one of weights, parameters and seed")
        if table.weights is not None:
            place = (*self.place, "weights")
            if self.fresh:
                check_weights_name(table.weights, place, self.report)
                return None
            return read_weights(self.folder, table.weights, shapes, layout, place, self.report)
        if table.parameters is not None:
            place = (*self.place, "parameters")
            return read_inline(table.parameters, shapes, layout, place, self.report)
        return None


_READERS: dict[str, type[OwnReader | CheckpointReader | OnnxReader | FactoryReader]] = {
    "": OwnReader,
    "checkpoint": CheckpointReader,
    "onnx": OnnxReader,
    "factory": FactoryReader,
}

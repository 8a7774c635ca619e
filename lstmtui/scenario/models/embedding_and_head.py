"""The embedding before a checkpoint's recurrent layer and the linear layer after it, by their paths."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from lstmtui.closest import closest
from lstmtui.models.checkpoints.names import plain_path
from lstmtui.scenario.lines import Location
from lstmtui.scenario.models.checkpoints import Checkpoint
from lstmtui.scenario.problem import one_of, short, shown
from lstmtui.scenario.report import Report
from lstmtui.scenario.scenario import Input
from lstmtui.wording import counted

if TYPE_CHECKING:
    from lstmtui.arrays import Array
    from lstmtui.cells.layout import Layout
    from lstmtui.scenario.schema import FileModelTable

MOST = 8


def named_around(table: FileModelTable) -> set[str]:
    """The names of the tensors of the embedding and the linear layer that a scenario names."""
    names = set()
    for path, parts in ((table.embedding, ("weight",)), (table.head, ("weight", "bias"))):
        for form in () if path is None else (path, plain_path(path)):
            names |= {f"{form}.{part}" for part in parts}
    return names


class EmbeddingAndHead:
    """The layers of a checkpoint before and after the recurrent layer, as far as the scenario names them.

    Args:
        file: the checkpoint.
        table: of the scenario; `embedding` and `head` are paths.
        layout: of the recurrent layer.
        source: the input; None where it has problems.
        place: of the table.
        report: gets every problem.
    """

    def __init__(
        self,
        file: Checkpoint,
        table: FileModelTable,
        layout: Layout,
        source: Input | None,
        place: Location,
        report: Report,
    ) -> None:
        self._file, self._layout = file, layout
        self._place, self._report = place, report
        self._embedding = self._checked_embedding(table.embedding, source)
        self._head = self._checked_head(table.head)

    @property
    def embedding(self) -> int | None:
        """The size of the embedding; None where none is asked for or it does not fit."""
        return self._file.tensors[self._embedding].shape[1] if self._embedding else None

    @property
    def head(self) -> int | None:
        """The size of y; None where no linear layer is asked for or it does not fit."""
        return self._file.tensors[self._head].shape[0] if self._head else None

    def embedding_advice(self) -> str:
        """What to say for an embedding that is missing: those of the right size."""
        fitting = [path for path, shape in self._matrices() if shape[1] == self._layout.input_size]
        paths = " or ".join(f'"{short(path)}"' for path in fitting[:MOST] if path)
        return f"say embedding = {paths}" if paths else "say embedding = …, its path in the checkpoint"

    def parameters(self, vocabulary: int) -> dict[str, Array]:
        """embedding.weight (vocabulary, E), head.weight and head.bias, as far as they are asked for.

        A linear layer without a bias gets one of zeros.

        Raises:
            DataError: their numbers cannot be read.
        """
        arrays = {}
        if self._embedding:
            arrays["embedding.weight"] = self._file.read_floats(self._embedding)[:vocabulary]
        if self._head:
            weight = self._file.read_floats(self._head)
            bias = self._head.removesuffix("weight") + "bias"
            biased = bias in self._file.tensors
            zeros = np.zeros(len(weight), weight.dtype)
            arrays |= {
                "head.weight": weight,
                "head.bias": self._file.read_floats(bias) if biased else zeros,
            }
        return arrays

    def _checked_embedding(self, path: str | None, source: Input | None) -> str:
        """The name of the embedding's weight; empty where there is none."""
        if path is None:
            return ""
        place = (*self._place, "embedding")
        if source is not None and source.tokens is None:
            self._report.add(place, "the input is numbers", "an embedding is for tokens and text")
            return ""
        name = self._weight_of(path, place)
        if not name:
            return ""
        rows, size = self._file.tensors[name].shape
        if size != self._layout.input_size:
            wrong = (
                f"{shown(path)} gives {counted(size, 'number')}, the layer takes {self._layout.input_size:,}"
            )
            self._report.add(place, wrong)
            return ""
        if source is not None and rows < source.size:
            wrong = f"{shown(path)} has {counted(rows, 'row')}, the input has tokens for {source.size:,}"
            self._report.add(place, wrong)
            return ""
        return name

    def _checked_head(self, path: str | None) -> str:
        """The name of the linear layer's weight; empty where there is none."""
        name = self._weight_of(path, (*self._place, "head")) if path is not None else ""
        if not name:
            return ""
        outputs, inputs = self._file.tensors[name].shape
        needed = self._layout.output_size * len(self._layout.directions)
        bias = self._file.tensors.get(name.removesuffix("weight") + "bias")
        if inputs != needed:
            wrong = f"{shown(path)} takes {counted(inputs, 'number')}, the layer gives {needed:,}"
            self._report.add((*self._place, "head"), wrong)
            return ""
        if bias is not None and bias.shape != (outputs,):
            self._report.add((*self._place, "head"), f"the bias of {shown(path)} has shape {bias.shape}")
            return ""
        return name

    def _weight_of(self, path: str, place: Location) -> str:
        """The name of a module's weight matrix; empty, and reported, where there is none."""
        matrices = dict(self._matrices())
        for name in (path, plain_path(path)):
            if name in matrices:
                return f"{name}.weight" if name else "weight"
        wrong = f"the checkpoint has no embedding or linear layer {shown(path)}"
        names = [short(name) for name in matrices if name]
        self._report.add(place, wrong, one_of(names[:MOST]) if names else "", closest(path, names))
        return ""

    def _matrices(self) -> Iterable[tuple[str, tuple[int, ...]]]:
        """Every module whose weight is a matrix: its path, and the shape."""
        for name, tensor in self._file.tensors.items():
            if len(tensor.shape) == 2 and (name == "weight" or name.endswith(".weight")):
                yield name[: -len(".weight")], tensor.shape

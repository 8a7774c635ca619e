"""The parameters of a stack of cells: their names and shapes, PyTorch's, without importing torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from lstmtui.cells.cell import Cell

DIRECTIONS = ("forward", "backward")


@dataclass(frozen=True)
class Layout:
    """The sizes of a recurrent stack, from which every parameter's name and shape follows.

    Names and shapes are those of `torch.nn.LSTM`, `GRU` and `RNN`, and what the cell declares: peepholes
    are `weight_ci_l0`, `weight_cf_l0`, `weight_co_l0`, each of shape (hidden,).
    """

    cell: Cell
    input_size: int
    hidden_size: int
    num_layers: int = 1
    bidirectional: bool = False
    proj_size: int = 0
    bias: bool = True

    @property
    def directions(self) -> tuple[str, ...]:
        """("forward",) or ("forward", "backward")."""
        return DIRECTIONS if self.bidirectional else DIRECTIONS[:1]

    @property
    def output_size(self) -> int:
        """The size of h in one direction: proj_size, or hidden_size where there is no projection."""
        return self.proj_size or self.hidden_size

    def state_size(self, state: str) -> int:
        """The size of a state: of the first, h, that of the output."""
        return self.output_size if state == self.cell.states[0] else self.hidden_size

    def layer_input_size(self, layer: int) -> int:
        """The size of the input of `layer`: both directions' h of the layer below."""
        return self.input_size if layer == 0 else self.output_size * len(self.directions)

    def names(self, layer: int, direction: str) -> dict[str, str]:
        """The parameters of one layer and direction: {"weight_ih": "weight_ih_l0", …}."""
        suffix = f"_l{layer}" + ("_reverse" if direction == "backward" else "")
        return {base: base + suffix for base in self.shapes_of(layer)}

    def shapes_of(self, layer: int) -> Mapping[str, tuple[int, ...]]:
        """The shapes of one layer and direction, by name without suffix, in PyTorch's order."""
        return _shapes(self, self.layer_input_size(layer))

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Every parameter of the stack, by full name, in PyTorch's order."""
        return {
            name: self.shapes_of(layer)[base]
            for layer in range(self.num_layers)
            for direction in self.directions
            for base, name in self.names(layer, direction).items()
        }

    def problems(self) -> list[tuple[str, str]]:
        """What is wrong with these sizes: (field, sentence) pairs; empty where all is well."""
        problems = [
            (field, f"must be 1 or more, is {getattr(self, field)}")
            for field in ("input_size", "hidden_size", "num_layers")
            if getattr(self, field) < 1
        ]
        if self.proj_size and not self.cell.projects:
            problems.append(("proj_size", f"{self.cell.name} has no projection; only the LSTM family has"))
        if self.proj_size < 0 or self.proj_size >= max(self.hidden_size, 1):
            problems.append(("proj_size", f"must lie between 0 and hidden_size − 1, is {self.proj_size}"))
        return problems


@lru_cache(maxsize=256)  # asked at every call of a cell in somebody's loop
def _shapes(layout: Layout, input_size: int) -> Mapping[str, tuple[int, ...]]:
    sizes = {"input": input_size, "hidden": layout.hidden_size, "output": layout.output_size}
    return {
        parameter.name: parameter.sizes(sizes)
        for parameter in layout.cell.parameters
        if not parameter.needs or getattr(layout, parameter.needs)
    }

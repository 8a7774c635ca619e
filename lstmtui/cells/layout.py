"""The parameters of a stack of cells: their names and shapes, PyTorch's, without importing torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

from lstmtui.cells.cell import Cell
from lstmtui.cells.parameters import size_of
from lstmtui.wording import listed

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
    sizes: tuple[tuple[str, int], ...] = ()
    """The cell's own sizes by name, such as heads; of one that is left out the cell says the usual."""

    @property
    def directions(self) -> tuple[str, ...]:
        """("forward",) or ("forward", "backward")."""
        return DIRECTIONS if self.bidirectional else DIRECTIONS[:1]

    @property
    def places(self) -> list[tuple[int, str]]:
        """Every layer and direction, in the order in which PyTorch stacks their states."""
        return [(layer, direction) for layer in range(self.num_layers) for direction in self.directions]

    @property
    def output_size(self) -> int:
        """The size of h in one direction: proj_size, or hidden_size where there is no projection."""
        return self.proj_size or self.hidden_size

    def state_size(self, state: str) -> int:
        """The size of a state: of the first, h, that of the output."""
        return size_of(self.cell.size_of_state(state), self.numbers(self.input_size))

    def size(self, quantity: str) -> int:
        """The number of units of a quantity, state or input of the first layer."""
        if quantity == "x":
            return self.input_size
        return size_of(self.cell.quantity_sizes.get(quantity, "hidden"), self.numbers(self.input_size))

    @cached_property
    def own_sizes(self) -> dict[str, int]:
        """The cell's own sizes, all of them, by name."""
        common = {"input": self.input_size, "hidden": self.hidden_size, "output": self.output_size}
        chosen = dict(self.sizes)
        return {
            name: max(1, chosen.get(name, size_of(usual, common))) for name, usual in self.cell.sizes.items()
        }

    def numbers(self, input_size: int) -> dict[str, int]:
        """Every size by name, of a layer whose x has so many features."""
        common = {"input": input_size, "hidden": self.hidden_size, "output": self.output_size}
        return {**common, **self.own_sizes}

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
            for layer, direction in self.places
            for base, name in self.names(layer, direction).items()
        }

    def problems(self) -> list[tuple[str, str]]:
        """What is wrong with these sizes: (field, sentence) pairs; empty where all is well."""
        problems = [
            (field, f"must be 1 or more, is {getattr(self, field)}")
            for field in ("input_size", "hidden_size", "num_layers")
            if getattr(self, field) < 1
        ]
        unknown_sizes = [name for name, _ in self.sizes if name not in self.cell.sizes]
        if self.proj_size and not self.cell.projects:
            problems.append(("proj_size", f"{self.cell.name} has no projection; only the LSTM family has"))
        if self.proj_size < 0 or self.proj_size >= max(self.hidden_size, 1):
            problems.append(("proj_size", f"must lie between 0 and hidden_size − 1, is {self.proj_size}"))
        there = listed(list(self.cell.sizes)) or "none of its own"
        problems += [(n, f"is no size of {self.cell.name}, which has {there}") for n in unknown_sizes]
        strange = [(n, size) for n, size in self.sizes if not isinstance(size, int) or size < 1]
        problems += [
            (n, f"must be a whole number of 1 or more, is {size}")
            for n, size in strange
            if n not in unknown_sizes
        ]
        if strange:
            return problems
        if self.hidden_size > 0:
            problems += self._uneven()
        return problems

    def _uneven(self) -> list[tuple[str, str]]:
        """The sizes that are to be divided by others and leave a rest."""
        numbers = self.numbers(self.input_size)
        every = {size for parameter in self.cell.parameters for size in parameter.shape}
        quotients = sorted(size for size in every if isinstance(size, str) and "/" in size)
        pairs = [size.split("/") for size in quotients]
        return [
            (parts, f"must divide the {numbers[whole]} units, is {numbers[parts]}")
            for whole, parts in pairs
            if numbers[whole] % numbers[parts]
        ]


@lru_cache(maxsize=256)  # asked at every call of a cell in somebody's loop
def _shapes(layout: Layout, input_size: int) -> Mapping[str, tuple[int, ...]]:
    numbers = layout.numbers(input_size)
    return {
        parameter.name: parameter.sizes(numbers)
        for parameter in layout.cell.parameters
        if not parameter.needs or getattr(layout, parameter.needs)
    }

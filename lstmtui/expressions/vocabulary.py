"""Every word an expression may use: those of the language, quantities, and parameters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from keyword import iskeyword

from lstmtui.cells import CELLS, Cell
from lstmtui.trace import Trace
from lstmtui.words import WORDS


def quantity_names() -> tuple[str, ...]:
    """The quantities of every cell, x and y, and the total derivative `d` + each."""
    return _quantities_of(tuple(CELLS.values()))


@lru_cache(maxsize=4)
def _quantities_of(cells: tuple[Cell, ...]) -> tuple[str, ...]:
    of_cells = dict.fromkeys(name for cell in cells for name in cell.quantities)
    names = ("x", *of_cells, "y")
    return names + tuple("d" + name for name in names)


@dataclass(frozen=True)
class Vocabulary:
    """The words that an expression is read with."""

    quantities: tuple[str, ...]
    """Names of quantities, derivatives included."""
    parameters: tuple[tuple[str, int], ...] = ()
    """The symbols of parameters in the equations, W_f, each with how many axes it has."""
    is_open: bool = False
    """Whether every other name may be a quantity too: that of a variable of code which has not run so far."""
    variables: tuple[str, ...] = ()
    """The names of the users' own code and cells: dh is one, where the code has a dh."""

    @cached_property
    def words(self) -> frozenset[str]:
        """Every word there is, without those that may be one."""
        return frozenset((*self.quantities, *self._axes)) | WORDS

    def axes(self, name: str) -> int | None:
        """How many axes the parameter of this symbol has; None where there is none."""
        return self._axes.get(name)

    def has_quantity(self, name: str) -> bool:
        """Whether a name is a quantity, or may be one."""
        if name in self._names:
            return True
        return self.is_open and name not in self.words and name.isidentifier() and not iskeyword(name)

    def is_derivative(self, name: str) -> bool:
        """Whether this is `d` + the name of a quantity, and no name that users' own code has, or may have."""
        is_of_quantity = name[:1] == "d" and name[1:] in self._names and name in self._names
        return is_of_quantity and not self.is_open and name not in self.variables

    @cached_property
    def _axes(self) -> dict[str, int]:
        return dict(self.parameters)

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(self.quantities)


def parameter_axes(cells: Iterable[Cell]) -> tuple[tuple[str, int], ...]:
    """The symbols of the parameters of cells, each with its axes: 2 for a matrix, of diagonal blocks too."""
    axes: dict[str, int] = {}
    for cell in cells:
        for symbol, blocks in cell.blocks.items():
            axes[symbol] = max(axes.get(symbol, 1), min(2, len(blocks[0].parameter.shape)))
    return tuple(axes.items())


def cell_vocabulary() -> Vocabulary:
    """The words for the cells alone."""
    return _vocabulary(quantity_names(), _parameters_of(tuple(CELLS.values())), is_open=False)


def open_vocabulary(cells: Iterable[Cell] | None = None) -> Vocabulary:
    """The same, and any name of code that may be recorded; whether there is one is found where it is read.

    Args:
        cells: that there are beside the code: of others no parameters are meant. None: any.
    """
    own = CELLS.values() if cells is None else cells
    return _vocabulary(quantity_names(), _parameters_of(tuple(own)), is_open=True)


def vocabulary_of(traces: Iterable[Trace]) -> Vocabulary:
    """The words for the cells, and the names of the users' own code and cells in these runs."""
    variables: dict[str, None] = {}
    own: dict[str, Cell] = {}
    for trace in traces:
        for layer in trace.layers:
            if layer.source is not None or layer.definition is not None:
                variables |= dict.fromkeys(layer.quantities)
            if layer.definition is not None:
                own[layer.cell] = layer.layout.cell
    names = dict.fromkeys(name for variable in variables for name in (variable, "d" + variable))
    quantities = tuple(dict.fromkeys((*quantity_names(), *names)))
    # A quantity of the user's code comes before a parameter of the same name.
    parameters = _parameters_of((*CELLS.values(), *own.values()))
    free = tuple((symbol, axes) for symbol, axes in parameters if symbol not in names)
    return _vocabulary(quantities, free, tuple(variables), is_open=False)


@lru_cache(maxsize=4)
def _parameters_of(cells: tuple[Cell, ...]) -> tuple[tuple[str, int], ...]:
    return parameter_axes(cells)


@lru_cache(maxsize=16)
def _vocabulary(
    quantities: tuple[str, ...],
    parameters: tuple[tuple[str, int], ...],
    variables: tuple[str, ...] = (),
    *,
    is_open: bool,
) -> Vocabulary:
    return Vocabulary(quantities, parameters, is_open, variables)

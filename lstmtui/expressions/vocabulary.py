"""Every word an expression may use."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from keyword import iskeyword

from lstmtui.cells import CELLS, Cell
from lstmtui.trace import Trace

REDUCTIONS = ("norm", "mean", "min", "max", "sum", "any", "all", "argmax", "argmin", "len")
"""From a value for each unit to one value."""

ELEMENTWISE = ("abs", "isnan", "isfinite", "sqrt", "log", "exp")
"""From a value for each unit to a value for each unit."""

ELSEWHERE = ("prev", "base")
"""The same expression at the timestep before, or in the run without what-ifs."""

FUNCTIONS = REDUCTIONS + ELEMENTWISE + ELSEWHERE
CONNECTIVES = ("and", "or", "not")
SCALARS = ("t", "loss", "firstbad")
"""One value: the timestep, what the gradients are taken of, and the timestep of the first NaN or inf of the
sequence in the forward pass, −1 where there is none."""


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
    is_open: bool = False
    """Whether every other name may be a quantity too: that of a variable of code which has not run so far."""

    @cached_property
    def words(self) -> frozenset[str]:
        """Every word there is, without those that may be one."""
        return frozenset((*self.quantities, *SCALARS, *FUNCTIONS, *CONNECTIVES))

    def has_quantity(self, name: str) -> bool:
        """Whether a name is a quantity, or may be one."""
        if name in self._names:
            return True
        return self.is_open and name not in self.words and name.isidentifier() and not iskeyword(name)

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(self.quantities)


def cell_vocabulary() -> Vocabulary:
    """The words for the cells alone."""
    return _vocabulary(quantity_names(), is_open=False)


def open_vocabulary() -> Vocabulary:
    """The same, and any name of code that may be recorded; whether there is one is found where it is read."""
    return _vocabulary(quantity_names(), is_open=True)


def vocabulary_of(traces: Iterable[Trace]) -> Vocabulary:
    """The words for the cells, and the names of the users' own code and cells in these runs."""
    names: dict[str, None] = {}
    for trace in traces:
        for layer in trace.layers:
            if layer.source is not None or layer.definition is not None:
                names |= dict.fromkeys(name for own in layer.quantities for name in (own, "d" + own))
    return _vocabulary(tuple(dict.fromkeys((*quantity_names(), *names))), is_open=False)


@lru_cache(maxsize=16)
def _vocabulary(quantities: tuple[str, ...], *, is_open: bool) -> Vocabulary:
    return Vocabulary(quantities, is_open)

"""Every word an expression may use."""

from __future__ import annotations

from functools import lru_cache

from lstmtui.cells import CELLS, Cell

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


def words() -> frozenset[str]:
    """Every word there is."""
    return _words_with(quantity_names())


@lru_cache(maxsize=4)
def _words_with(quantities: tuple[str, ...]) -> frozenset[str]:
    return frozenset((*quantities, *SCALARS, *FUNCTIONS, *CONNECTIVES))

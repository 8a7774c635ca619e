"""What a cell is: its equations, the rows of its parameters, and what follows from them."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

Value: TypeAlias = Any
"""A tensor of shape (batch, units), or a formula term: whatever the equations are run on."""

Equations: TypeAlias = Generator[tuple[str, Value], Value, None]
"""Yields (quantity, value) in order of evaluation; goes on with the value it is sent back."""

Parameters: TypeAlias = Any
"""Has the attributes `W_<row>`, `R_<row>`, `b_<row>`, `bh_<row>`, `w_c<row>` and `project`."""


@dataclass(frozen=True)
class Cell:
    """One kind of recurrent cell.

    `equations` is the only place where the cell is defined. Running it on tensors gives the numbers,
    on terms the formula on screen (:mod:`lstmtui.cells.formula`), and its order is the order of `into`.
    """

    name: str
    """The name used in scenario files and in `lstmtui.Recurrent`."""

    equations: Callable[..., Equations]
    """The equations, called as `equations(p, x, *states)`."""

    rows: tuple[str, ...]
    """The blocks of rows in W, R and b, in PyTorch's order; one block without a name for the plain RNN."""

    states: tuple[str, ...]
    """What is carried from one timestep to the next: h, or h and c."""

    peepholes: tuple[str, ...] = ()
    """The gates that see c through a vector of shape (hidden,)."""

    separate_biases: tuple[str, ...] = ()
    """The rows whose two biases act in different places and therefore are never added."""

    projects: bool = False
    """Whether h may be a projection of o⊙tanh(c) (`proj_size`)."""

    @property
    def summary(self) -> str:
        """One line: where the cell comes from."""
        return (self.equations.__doc__ or "").strip().splitlines()[0]

    @cached_property
    def quantities(self) -> tuple[str, ...]:
        """Every quantity the equations define, in order of evaluation."""
        from lstmtui.cells.formula import names

        return names(self)

    @property
    def gates(self) -> tuple[str, ...]:
        """The quantities of one timestep that are neither a state nor a value before squashing."""
        return tuple(q for q in self.quantities if q not in self.states and not q.endswith("_pre"))

    @property
    def stages(self) -> tuple[str, ...]:
        """The stops of `into`: each quantity together with its value before squashing."""
        return tuple(q for q in self.quantities if not q.endswith("_pre"))

    def row(self, name: str) -> int:
        """The position of block `name` among the rows of W, R and b.

        Raises:
            ValueError: the cell has no such block.
        """
        return self.rows.index(name)

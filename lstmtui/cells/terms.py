"""Terms: what the equations of a cell are run on to become a formula.

A term knows how it was made (for the text), its value at the unit under the cursor and, where every unit
is known, the whole vector. Adding, multiplying or squashing terms gives terms, exactly as with tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import inf, isnan
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lstmtui.arrays import Array

RANGES: dict[str, tuple[float, float]] = {"sigmoid": (0, 1), "tanh": (-1, 1), "relu": (0, inf)}
"""What each squashing function gives, from the least to the largest."""


@dataclass(frozen=True, eq=False)
class Term:
    """One node of an equation."""

    kind: str
    """symbol, number, matrix, @, +, -, *, sigmoid, tanh or relu."""

    text: str = ""
    """How a symbol, number or matrix is written."""

    role: str = ""
    """What a symbol stands for: a quantity name, or "parameter"."""

    parts: tuple[Term, ...] = ()
    """The operands, in order."""

    value: float = float("nan")
    """The value at the unit under the cursor."""

    vector: Array | None = None
    """The value of every unit, shape (units,), where it is known."""

    row: Callable[[], Array] | None = None
    """For a matrix: its row at the unit under the cursor."""

    definition: Term | None = None
    """For a quantity: the equation it was computed by."""

    def is_old(self, state: str) -> bool:
        """Whether it is the symbol of a state before the timestep, which none of its equations defines."""
        return self.kind == "symbol" and self.role == state and self.definition is None

    def __add__(self, other: Term | float) -> Term:
        return _combine("+", self, _term(other))

    def __radd__(self, constant: float) -> Term:
        return _combine("+", _term(constant), self)

    def __mul__(self, other: Term | float) -> Term:
        return _combine("*", self, _term(other))

    def __rmul__(self, constant: float) -> Term:
        return _combine("*", _term(constant), self)

    def __sub__(self, other: Term | float) -> Term:
        return _combine("-", self, _term(other))

    def __rsub__(self, constant: float) -> Term:
        return _combine("-", _term(constant), self)

    def __matmul__(self, operand: Term) -> Term:
        value = float("nan")
        if self.row is not None and operand.vector is not None:
            import numpy as np

            with np.errstate(all="ignore"):
                value = float(self.row().astype(np.float64) @ operand.vector.astype(np.float64))
        return Term("@", parts=(self, operand), value=value)

    def sigmoid(self) -> Term:
        """The logistic function of this term."""
        return _combine("sigmoid", self)

    def tanh(self) -> Term:
        """The hyperbolic tangent of this term."""
        return _combine("tanh", self)

    def relu(self) -> Term:
        """max(0, this term)."""
        return _combine("relu", self)


def evaluate(term: Term, value_of: Callable[[Term], Any]) -> Any:
    """The value of a term.

    Args:
        term: any.
        value_of: the values of a symbol, (…, units), or of a matrix, (rows, columns).
    """
    if term.kind in ("symbol", "matrix"):
        return value_of(term)
    if term.kind == "number":
        return term.value
    from lstmtui.cells.arithmetic import OPERATIONS

    first, *rest = (evaluate(part, value_of) for part in term.parts)
    return rest[0] @ first.T if term.kind == "@" else OPERATIONS[term.kind](first, *rest)


def symbols_in(term: Term) -> Iterator[Term]:
    """The symbols and matrices of a term, from left to right; what defines them is not looked into."""
    if term.kind in ("symbol", "matrix"):
        yield term
    for part in term.parts:
        yield from symbols_in(part)


def _term(value: Term | float) -> Term:
    """A number as a term."""
    return value if isinstance(value, Term) else Term("number", text=f"{value:g}", value=value)


def _combine(kind: str, *parts: Term) -> Term:
    operands = [part for part in parts if part.kind != "number"]
    if operands and all(isnan(part.value) and part.vector is None for part in operands):
        return Term(kind, parts=parts)  # symbols alone: a command that lists the cells loads no numpy
    import numpy as np

    from lstmtui.cells.arithmetic import OPERATIONS

    function = OPERATIONS[kind]
    vectors = [part.value if part.kind == "number" else part.vector for part in parts]
    with np.errstate(all="ignore"):
        vector = None if any(v is None for v in vectors) else function(*vectors)
        value = float(function(*(part.value for part in parts)))
    return Term(kind, parts=parts, value=value, vector=vector)

"""Terms: what the equations of a cell are run on to become a formula.

A term knows how it was made (for the text), its value at the unit under the cursor and, where every unit
is known, the whole vector. Adding, multiplying or squashing terms gives terms, exactly as with tensors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from lstmtui.arrays import Array


def _sigmoid(v: Any) -> Any:
    return 1 / (1 + np.exp(-v))  # keeps its digits where it almost vanishes


def _relu(v: Any) -> Any:
    return np.maximum(v, 0)


OPERATIONS: dict[str, Callable[..., Any]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "sigmoid": _sigmoid,
    "tanh": np.tanh,
    "relu": _relu,
}
"""What a term does with the values of its parts, by its kind."""


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

    def __add__(self, other: Term) -> Term:
        return _combine("+", self, other)

    def __mul__(self, other: Term) -> Term:
        return _combine("*", self, other)

    def __rsub__(self, constant: float) -> Term:
        return _combine("-", Term("number", text=str(constant), value=constant), self)

    def __matmul__(self, operand: Term) -> Term:
        value = float("nan")
        if self.row is not None and operand.vector is not None:
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


def _combine(kind: str, *parts: Term) -> Term:
    function, vectors = OPERATIONS[kind], [part.vector for part in parts]
    with np.errstate(all="ignore"):
        vector = None if any(v is None for v in vectors) else function(*vectors)
        value = float(function(*(part.value for part in parts)))
    return Term(kind, parts=parts, value=value, vector=vector)

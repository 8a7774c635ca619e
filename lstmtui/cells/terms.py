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
    return 0.5 * (1 + np.tanh(0.5 * v))


def _relu(v: Any) -> Any:
    return np.maximum(v, 0)


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
        return _combine("+", np.add, self, other)

    def __mul__(self, other: Term) -> Term:
        return _combine("*", np.multiply, self, other)

    def __rsub__(self, constant: float) -> Term:
        return _combine("-", np.subtract, Term("number", text=str(constant), value=constant), self)

    def __matmul__(self, operand: Term) -> Term:
        value = float("nan")
        if self.row is not None and operand.vector is not None:
            with np.errstate(all="ignore"):
                value = float(self.row().astype(np.float64) @ operand.vector.astype(np.float64))
        return Term("@", parts=(self, operand), value=value)

    def sigmoid(self) -> Term:
        """The logistic function of this term."""
        return _apply("sigmoid", _sigmoid, self)

    def tanh(self) -> Term:
        """The hyperbolic tangent of this term."""
        return _apply("tanh", np.tanh, self)

    def relu(self) -> Term:
        """max(0, this term)."""
        return _apply("relu", _relu, self)


def _combine(kind: str, function: Callable[[Any, Any], Any], a: Term, b: Term) -> Term:
    vector = None
    with np.errstate(all="ignore"):
        if a.vector is not None and b.vector is not None:
            vector = function(a.vector, b.vector)
        return Term(kind, parts=(a, b), value=float(function(a.value, b.value)), vector=vector)


def _apply(kind: str, function: Callable[[Any], Any], a: Term) -> Term:
    with np.errstate(all="ignore"):
        vector = None if a.vector is None else function(a.vector)
        return Term(kind, parts=(a,), value=float(function(a.value)), vector=vector)

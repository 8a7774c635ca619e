"""Terms: what the equations of a cell are run on to become a formula.

A term knows how it was made (for the text), its value at the unit under the cursor and, where every unit
is known, the whole vector. Adding, multiplying or squashing terms gives terms, exactly as with tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
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
    """symbol, number, matrix, @, or an operation of `lstmtui.cells.arithmetic`: +, neg, sigmoid …"""

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

    whole: Callable[[], Array] | None = None
    """For a matrix: all of it, (rows, columns)."""

    unit: int = 0
    """For a symbol or a matrix: the unit under the cursor."""

    definition: Term | None = None
    """For a quantity: the equation it was computed by."""

    def is_old(self, state: str) -> bool:
        """Whether it is the symbol of a state before the timestep, which none of its equations defines."""
        return self.kind == "symbol" and self.role == state and self.definition is None

    def __add__(self, other: Term | float) -> Term:
        return _combine("+", self, as_term(other))

    def __radd__(self, constant: float) -> Term:
        return _combine("+", as_term(constant), self)

    def __mul__(self, other: Term | float) -> Term:
        return _combine("*", self, as_term(other))

    def __rmul__(self, constant: float) -> Term:
        return _combine("*", as_term(constant), self)

    def __sub__(self, other: Term | float) -> Term:
        return _combine("-", self, as_term(other))

    def __rsub__(self, constant: float) -> Term:
        return _combine("-", as_term(constant), self)

    def __truediv__(self, other: Term | float) -> Term:
        return _combine("/", self, as_term(other))

    def __rtruediv__(self, constant: float) -> Term:
        return _combine("/", as_term(constant), self)

    def __pow__(self, exponent: int) -> Term:
        if exponent not in (2, 3):
            return NotImplemented
        return self * self if exponent == 2 else self * self * self

    def __bool__(self) -> bool:
        raise TypeError("what an equation gives is known only when it runs: no if can depend on it")

    def __neg__(self) -> Term:
        return _combine("neg", self)

    def __abs__(self) -> Term:
        return _combine("abs", self)

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

    def exp(self) -> Term:
        """e to the power of this term."""
        return _combine("exp", self)

    def log(self) -> Term:
        """The natural logarithm of this term."""
        return _combine("log", self)

    def sqrt(self) -> Term:
        """The square root of this term."""
        return _combine("sqrt", self)

    def softplus(self) -> Term:
        """log(1 + exp(this term))."""
        return _combine("softplus", self)

    def logsigmoid(self) -> Term:
        """The logarithm of the logistic function of this term."""
        return _combine("logsigmoid", self)

    def maximum(self, other: Term) -> Term:
        """The larger of two terms."""
        return _combine("max", self, other)

    def minimum(self, other: Term) -> Term:
        """The smaller of two terms."""
        return _combine("min", self, other)

    def clamp(self, min: float | None = None, max: float | None = None) -> Term:
        """This term within bounds, called as `torch.Tensor.clamp`."""
        if min is not None and max is not None:
            return _combine("clamp", self, as_term(min), as_term(max))
        if min is not None:
            return _combine("max", self, as_term(min))
        return self if max is None else _combine("min", self, as_term(max))

    def below(self, other: Term) -> Term:
        """1 where this term is less than another, else 0."""
        return _combine("<", self, other)

    def layer_norm(self) -> Term:
        """This term with mean 0 and variance 1 over its units."""
        whole = Term("layer_norm", parts=(self,))
        if isnan(self.value) and self.vector is None:
            return whole
        vector, unit = vector_of(whole), max((leaf.unit for leaf in symbols_in(self)), default=0)
        if vector is None:
            return whole
        return replace(
            whole, vector=vector, value=float(vector[unit]) if unit < len(vector) else float("nan")
        )


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
    from lstmtui.cells.arithmetic import OPERATIONS, dense

    first, *rest = (evaluate(part, value_of) for part in term.parts)
    return rest[0] @ dense(first).T if term.kind == "@" else OPERATIONS[term.kind](first, *rest)


def vector_of(term: Term) -> Array | None:
    """The value of every unit, (units,), in float64; None where a symbol or a matrix in it is not known."""
    import numpy as np

    if term.vector is not None:
        return np.asarray(term.vector, np.float64)
    leaves = list(symbols_in(term))
    if any((leaf.whole if leaf.kind == "matrix" else leaf.vector) is None for leaf in leaves):
        return None

    def value_of(leaf: Term) -> Array:
        return np.asarray(leaf.vector if leaf.whole is None else leaf.whole(), np.float64)

    with np.errstate(all="ignore"):
        return np.asarray(evaluate(term, value_of))


def symbols_in(term: Term) -> Iterator[Term]:
    """The symbols and matrices of a term, from left to right; what defines them is not looked into."""
    if term.kind in ("symbol", "matrix"):
        yield term
    for part in term.parts:
        yield from symbols_in(part)


def as_term(value: Term | float) -> Term:
    """A number as a term; a term as it is."""
    return value if isinstance(value, Term) else Term("number", text=f"{value:.12g}", value=float(value))


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

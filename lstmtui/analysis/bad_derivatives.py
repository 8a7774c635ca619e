"""What made a NaN or inf among the derivatives: the chain rule at one unit, with its numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lstmtui.analysis.bad_operands import largest_of, operands_of, overflow
from lstmtui.analysis.bad_values import BadValue
from lstmtui.arrays import Array
from lstmtui.cells import Cell
from lstmtui.cells.formula import Operands, definitions
from lstmtui.cells.notation import UNICODE
from lstmtui.cells.rendering import render, text
from lstmtui.cells.terms import Term
from lstmtui.trace import Trace
from lstmtui.trace.lengths import lengths_of

_number = UNICODE.number


@dataclass(frozen=True, eq=False)
class _Route:
    """A derivative on its way back through one equation: the product of what it was multiplied by."""

    factors: tuple[tuple[str, float], ...]
    """As they are written, with their values at the unit."""
    vector: Array | None
    """The product at every unit; None behind a matrix, where only one unit matters."""
    largest: float = 0.0
    """What the addends of a product with a matrix come to without their signs."""

    @property
    def value(self) -> float:
        """The product at the unit."""
        with np.errstate(all="ignore"):
            return float(np.prod([value for _, value in self.factors]))

    def times(self, name: str, value: float, vector: Array | None) -> _Route:
        """The product with one more factor."""
        with np.errstate(all="ignore"):
            whole = None if self.vector is None or vector is None else self.vector * vector
        return _Route((*self.factors, (name, value)), whole, self.largest)

    def through(self, matrix: str, column: Array) -> _Route:
        """Back through a matrix, of which only the column of the unit matters."""
        inside = str(self) if len(self.factors) == 1 else f"({self})"
        vector = np.full(len(column), np.nan) if self.vector is None else self.vector
        with np.errstate(all="ignore"):
            value, largest = float(column @ vector), float(np.abs(column) @ np.abs(vector))
        return _Route(((f"{matrix}ᵀ·{inside}", value),), None, largest)

    def __str__(self) -> str:
        return "·".join(name for name, _ in self.factors)


def derivative_made_by(trace: Trace, bad: BadValue) -> str:
    """How a bad derivative was made, in a sentence without its full stop."""
    if bad.layer is None:
        if not trace.header.loss_is_known:
            return "its derivatives start with this one"
        if not np.isfinite(trace.loss):
            return f"the loss is {_number(trace.loss)}, and its derivatives start with this one"
        return "the loss is finite, and its derivative by the output is not"
    routes = list(_routes(trace, bad))
    name = f"{UNICODE.at(bad.quantity, bad.t)}[{bad.unit}]"
    broken = next((route for route in routes if not np.isfinite(route.value)), None)
    if broken is None:
        reached = max((max(abs(route.value), route.largest) for route in routes), default=0.0)
        if bad.quantity == "dh" and bad.t >= 0 and reached < largest_of(trace):
            return f"every route through the recurrence is finite: {name} is bad by what comes from above"
        exact = float(sum(route.value for route in routes))
        return f"{name} = {' + '.join(map(str, routes))}, where {overflow(trace, exact)}"
    numbers = "·".join(_number(value) for _, value in broken.factors)
    operands = [f"{factor} is {_number(value)}" for factor, value in broken.factors if not np.isfinite(value)]
    where = " and ".join(operands[:2]) or overflow(trace, broken.value)
    return f"{name} comes by {broken} = {numbers}, where {where}"


def _routes(trace: Trace, bad: BadValue) -> Iterator[_Route]:
    """Every way back to a quantity: from this timestep, and from the next one in the layer's own time."""
    name, cell = bad.quantity[1:], trace.cell(bad.layer or 0)
    last, backward = int(lengths_of(trace, bad.layer or 0)[bad.batch]) - 1, bad.direction == "backward"
    if bad.t >= 0:
        symbol = UNICODE.at(name, bad.t) if name in cell.states else name
        yield from _routes_of_step(trace, bad, bad.t, symbol)
    if name in cell.states:
        start = last if backward else 0
        later = start if bad.t < 0 else bad.t + (-1 if backward else 1)
        if 0 <= later <= last:
            before = later + (1 if backward else -1)
            yield from _routes_of_step(trace, bad, later, UNICODE.at(name, before))


def _routes_of_step(trace: Trace, bad: BadValue, t: int, symbol: str) -> Iterator[_Route]:
    """The ways back to a symbol through the equations of the timestep t."""
    layer = bad.layer or 0
    operands = operands_of(trace, bad, t)
    for name, term in definitions(trace.cell(layer), operands):
        recorded = trace.values("d" + name, layer, bad.direction)[t, bad.batch]
        vector = np.asarray(recorded, np.float64)
        value = float(vector[bad.unit]) if bad.unit < len(vector) else float("nan")
        equation = _Equation(name, symbol, operands, trace.cell(layer))
        yield from equation.back(term, _Route(((UNICODE.at("d" + name, t), value),), vector))


@dataclass(frozen=True)
class _Equation:
    """One equation that a derivative goes back through."""

    name: str
    """The quantity it defines."""
    symbol: str
    """What the derivative is by, as it is written in the equation."""
    operands: Operands
    cell: Cell

    def back(self, term: Term, route: _Route) -> Iterator[_Route]:
        """The routes from the whole of a term to the symbol."""
        if not self._reads_symbol(term):
            return
        match term.kind, term.parts:
            case "symbol", _:
                yield route
            case "+", (a, b):
                yield from self.back(a, route)
                yield from self.back(b, route)
            case "-", (_, b):
                yield from self.back(b, route.times("(−1)", -1.0, -np.ones(1)))
            case "*", (a, b):
                yield from self.back(a, route.times(_written(b), b.value, b.vector))
                yield from self.back(b, route.times(_written(a), a.value, a.vector))
            case "@", (matrix, operand):
                yield from self.back(operand, route.through(matrix.text, self._column(matrix.text)))
            case _, (inside,):
                yield from self.back(inside, route.times(*self._slope(term)))

    def _reads_symbol(self, term: Term) -> bool:
        if term.kind == "symbol":
            return term.text == self.symbol
        return any(self._reads_symbol(part) for part in term.parts)

    def _slope(self, term: Term) -> tuple[str, float, Array | None]:
        """The derivative of a squashing function, written and computed from its own value."""
        is_whole = self.name + "_pre" in (part.text for part in term.parts)
        own = self.name if is_whole else _written(term)
        value = np.array([term.value])
        vector = value if term.vector is None else np.asarray(term.vector, np.float64)
        if term.kind == "sigmoid":
            name, slopes = f"{own}·(1 − {own})", [v * (1 - v) for v in (value, vector)]
        elif term.kind == "tanh":
            name, slopes = f"(1 − {own}²)", [1 - v * v for v in (value, vector)]
        else:
            name, slopes = f"[{own} > 0]", [np.where(np.isnan(v), v, v > 0) for v in (value, vector)]
        return name, float(slopes[0][0]), slopes[1]

    def _column(self, matrix: str) -> Array:
        """The column of a matrix that acts on the unit, (rows of the gate,)."""
        kind, _, row = matrix.partition("_")
        parameters, unit = self.operands.parameters, self.operands.unit
        if matrix == "W_hr":
            return np.asarray(parameters["weight_hr"][:, unit], np.float64)
        weight = parameters["weight_ih" if kind == "W" else "weight_hh"]
        size = len(weight) // len(self.cell.rows)
        start = self.cell.row(row) * size
        return np.asarray(weight[start : start + size, unit], np.float64)


def _written(term: Term) -> str:
    """A factor, in brackets where it is a sum."""
    spans = render(term, UNICODE, numeric=False, expand=False)
    return f"({text(spans)})" if term.kind in ("+", "-") else text(spans)

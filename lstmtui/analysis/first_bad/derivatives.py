"""What made a NaN or inf among the derivatives: the chain rule at one unit, with its numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from lstmtui.analysis.first_bad.operands import largest_of, operands_of, overflow
from lstmtui.analysis.first_bad.values import BadValue
from lstmtui.analysis.term_values import why_missing
from lstmtui.arrays import Array
from lstmtui.cells import Cell
from lstmtui.cells.arithmetic import back_through_layer_norm, dense, slope
from lstmtui.cells.chain_rule import Way, slope_text, ways_to
from lstmtui.cells.formula import Operands, definitions
from lstmtui.cells.notation import UNICODE
from lstmtui.cells.rendering import render, text
from lstmtui.cells.terms import Term, symbols_in, vector_of
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
    """The sum of the absolute addends of a product with a matrix."""
    is_known: bool = True
    """Whether the parameters that it goes through are."""

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

    def through_layer_norm(self, term: Term) -> _Route:
        """Back through a layer normalization, whose result at one unit depends on all of them."""
        inside = str(self) if len(self.factors) == 1 else f"({self})"
        operand, unit = vector_of(term.parts[0]), max((leaf.unit for leaf in symbols_in(term)), default=0)
        vector = None
        if operand is not None and self.vector is not None:
            with np.errstate(all="ignore"):
                vector = back_through_layer_norm(np.broadcast_to(self.vector, operand.shape), operand)
        value = float(vector[unit]) if vector is not None and unit < len(vector) else float("nan")
        return _Route(((f"LN′ᵀ·{inside}", value),), vector, self.largest)

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
    broken = next((route for route in routes if route.is_known and not np.isfinite(route.value)), None)
    if broken is None and not all(route.is_known for route in routes):
        missing = why_missing(trace, bad.layer)
        return f"the routes that are known are finite; others go through parameters that {missing}"
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
        start = _Route(((UNICODE.at("d" + name, t), value),), vector)
        for way in ways_to(term, lambda read: read.text == symbol):
            if operands.parameters or not _reads_parameters(way):
                yield _back(way, start, name, operands, trace.cell(layer))
            else:
                yield replace(start, is_known=False)


def _reads_parameters(way: Way) -> bool:
    return any(symbol.role == "parameter" for _, term, _ in way for symbol in symbols_in(term))


def _back(way: Way, route: _Route, quantity: str, operands: Operands, cell: Cell) -> _Route:
    """The route from a quantity's derivative along a way through its equation."""
    for kind, term, position in way:
        if kind == "minus":
            route = route.times("(−1)", -1.0, -np.ones(1))
        elif kind == "factor":
            route = route.times(_written(term), term.value, term.vector)
        elif kind == "over":
            over = None if term.vector is None else 1 / np.asarray(term.vector, np.float64)
            with np.errstate(all="ignore"):
                route = route.times(f"1/{_written(term)}", float(np.divide(1.0, term.value)), over)
        elif kind == "matrix":
            route = route.through(term.text, _column(term.text, operands, cell))
        elif kind == "layer_norm":
            route = route.through_layer_norm(term)
        else:
            route = route.times(*_slope(term, position, quantity))
    return route


def _slope(term: Term, position: int, quantity: str) -> tuple[str, float, Array | None]:
    """The derivative of a function of one unit, written and computed."""
    is_whole = quantity + "_pre" in (part.text for part in term.parts)
    own = quantity if is_whole else _written(term)
    is_bound = any(part.kind == "number" for part in term.parts)
    values = tuple(part.value for part in term.parts)
    vectors = tuple(part.value if part.kind == "number" else part.vector for part in term.parts)
    with np.errstate(all="ignore"):
        value = float(slope(term.kind, term.value, values, position, is_bound))
        is_known = term.vector is not None and all(vector is not None for vector in vectors)
        vector = slope(term.kind, term.vector, vectors, position, is_bound) if is_known else np.array([value])
    return slope_text(term, position, _written, own), value, vector


def _column(matrix: str, operands: Operands, cell: Cell) -> Array:
    """The column of a matrix that acts on the unit, (rows of the gate,)."""
    block = cell.blocks[matrix][0]
    whole = dense(block.of(operands.parameters[block.parameter.name]))
    return np.asarray(whole[:, operands.unit], np.float64)


def _written(term: Term) -> str:
    """A factor, in brackets where it is a sum."""
    spans = render(term, UNICODE, numeric=False, expand=False)
    return f"({text(spans)})" if term.kind in ("+", "-") else text(spans)

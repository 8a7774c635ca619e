"""What made a NaN or inf: the equation, with its numbers, and which of them was bad already."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lstmtui.analysis.equations import operands_at
from lstmtui.analysis.first_bad.values import BadValue
from lstmtui.analysis.term_values import why_missing
from lstmtui.cells.formula import Operands, definitions
from lstmtui.cells.notation import UNICODE
from lstmtui.cells.rendering import render, text
from lstmtui.cells.terms import Term, symbols_in
from lstmtui.trace import Trace
from lstmtui.trace.order import order_of

_number = UNICODE.number

_LARGEST = {"float16": 65504.0, "bfloat16": 3.39e38, "float32": 3.4e38, "float64": 1.7976e308}


def largest_of(trace: Trace) -> float:
    """The largest finite number of a run's dtype."""
    return _LARGEST.get(trace.header.dtype, _LARGEST["float32"])


def operands_of(trace: Trace, bad: BadValue, t: int) -> Operands:
    """What the equations of the timestep t read, at the place of a bad value."""
    assert bad.layer is not None
    return operands_at(trace, bad.layer, bad.direction, bad.batch, bad.unit, t)


def made_by(trace: Trace, bad: BadValue) -> str:
    """How a bad value of the forward pass was made, in a sentence without its full stop."""
    if bad.layer is None:
        made = "the head" if trace.header.output_kind == "head" else "what reads the last layer's h"
        return f"every value of the layers is finite; {made} made it"
    if bad.t < 0:
        return "it is what the layer was given to start from"
    if bad.quantity == "x":
        return f"it is what the layer was given{_finite_before(trace, bad.layer, bad.t)}"
    operands = operands_of(trace, bad, bad.t)
    defined = definitions(trace.cell(bad.layer), operands)
    term = next(term for name, term in defined if name == bad.quantity)
    symbols = text(render(term, UNICODE, numeric=False, expand=False))
    numbers = text(render(term, UNICODE, numeric=True, expand=False))
    culprits = list(_culprits(term, bad.unit))
    if not operands.parameters and any(symbol.role == "parameter" for symbol in symbols_in(term)):
        where = f", where {' and '.join(culprits[:2])}" if culprits else ""
        missing = why_missing(trace, bad.layer)
        return f"{bad.quantity}[{bad.unit}] = {symbols}{where}; its parameters {missing}"
    reason = f"{' and '.join(culprits[:2])}" if culprits else overflow(trace, term.value)
    return f"{bad.quantity}[{bad.unit}] = {symbols} = {numbers}, where {reason}"


def _finite_before(trace: Trace, layer: int, t: int) -> str:
    """What is finite where the first bad value is in this timestep, as the end of a sentence."""
    order = order_of(trace, layer)
    if order is not None:
        return ", and every value that was computed before it is finite" if order[t] else ""
    return ", and every value of the layers below is finite" if layer else ""


def overflow(trace: Trace, exact: float) -> str:
    """Why finite operands, whose result in float64 is `exact`, give no finite number."""
    dtype, largest = trace.header.dtype, largest_of(trace)
    if trace.header.what_ifs and abs(exact) < largest:
        return f"every operand is finite, and a what-if took the place of {_number(exact)}"
    reach = f"it is {_number(exact)} and {dtype}" if largest <= abs(exact) < np.inf else dtype
    return f"every operand is finite: {reach} ends at {_number(largest, 4)}"


def _culprits(term: Term, unit: int) -> Iterator[str]:
    """The operands of an equation that are not finite themselves, as "h₁₁[3] is NaN"."""
    match term.kind:
        case "symbol":
            is_known = term.role != "parameter" or term.vector is not None
            if is_known and not np.isfinite(term.value):
                yield f"{term.text}[{unit}] is {_number(term.value)}"
        case "@":
            matrix, operand = term.parts
            row = None if matrix.row is None else np.asarray(matrix.row())
            if row is not None and not np.isfinite(row).all():
                at = int(np.isfinite(row).argmin())
                yield f"{matrix.text}[{unit}, {at}] is {_number(float(row[at]))}"
            yield from _within(operand)
        case _:
            for part in term.parts:
                yield from _culprits(part, unit)


def _within(operand: Term) -> Iterator[str]:
    """The bad units of a vector that a matrix acts on; of a product the vectors it is made of."""
    if operand.vector is None or np.isfinite(operand.vector).all():
        return
    inner = [bad for part in operand.parts for bad in _within(part)] if operand.kind != "symbol" else []
    if inner:
        yield from inner
        return
    at = int(np.isfinite(operand.vector).argmin())
    name = text(render(operand, UNICODE, numeric=False, expand=False))
    yield f"{name}[{at}] is {_number(float(operand.vector[at]))}"

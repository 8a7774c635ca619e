"""What a product W·x of an equation is the sum of, at one unit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lstmtui.cells.cell import Cell
from lstmtui.cells.formula import Operands, definitions
from lstmtui.cells.notation import UNICODE, Notation
from lstmtui.cells.rendering import Spans, render
from lstmtui.cells.terms import Term


@dataclass(frozen=True)
class Factor:
    """One addend of W·x: a weight times a number."""

    index: int
    """Which column of the matrix, and which number of the vector."""
    weight: float
    value: float
    product: float


@dataclass(frozen=True)
class Products:
    """The product of a unit's row of a matrix with a vector."""

    quantity: str
    """The stage that it is part of: f, also where the equation of f_pre has it."""
    written: Spans
    """W_f·x"""
    matrix: str
    vector: Spans
    """x, or h₁₁"""
    total: float
    count: int
    """How many addends there are."""
    factors: tuple[Factor, ...]
    """The largest of them by their size, NaN before all others."""

    @property
    def rest(self) -> float:
        """What the addends that are not listed come to."""
        return self.total - sum(factor.product for factor in self.factors)


def products(cell: Cell, operands: Operands, most: int, notation: Notation = UNICODE) -> tuple[Products, ...]:
    """Every product of a matrix with a vector in the equations of one timestep, in order of evaluation.

    Args:
        cell: whose equations.
        operands: the timestep's numbers, and the unit.
        most: so many addends of each are listed.
        notation: Unicode or ASCII.
    """
    stages = {name + "_pre": name for name in cell.stages}
    return tuple(
        made
        for name, term in definitions(cell, operands, notation)
        for part in _matrix_products(term)
        if (made := _products(stages.get(name, name), part, most, notation)) is not None
    )


def _matrix_products(term: Term) -> Iterator[Term]:
    """The products in a term itself, without those of the quantities it reads."""
    if term.kind == "@":
        yield term
    for part in term.parts:
        yield from _matrix_products(part)


def _products(stage: str, term: Term, most: int, notation: Notation) -> Products | None:
    """None where the numbers are not known: the trace does not hold the weights, or all of the vector."""
    matrix, operand = term.parts
    if matrix.row is None or operand.vector is None:
        return None
    weights, values = matrix.row().astype(np.float64), operand.vector.astype(np.float64)
    with np.errstate(all="ignore"):
        each = weights * values
        total = float(weights @ values)
    size = np.where(np.isnan(each), np.inf, np.abs(each))
    order = np.lexsort((np.arange(len(each)), -size, ~np.isnan(each)))[:most].tolist()
    return Products(
        stage,
        render(term, notation, numeric=False, expand=False),
        matrix.text,
        render(operand, notation, numeric=False, expand=False),
        total,
        len(each),
        tuple(Factor(at, float(weights[at]), float(values[at]), float(each[at])) for at in order),
    )

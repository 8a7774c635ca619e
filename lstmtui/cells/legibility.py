"""How many digits the numbers of an equation have, so that its result follows from what is written.

Three digits are enough for most, but of 1 − z with z = 0.9996, or of two products that nearly cancel, the
result is in the digits after those.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from lstmtui.cells.arithmetic import OPERATIONS
from lstmtui.cells.notation import Notation
from lstmtui.cells.terms import Term

LEAVES = ("symbol", "@", "layer_norm")
"""The kinds of terms that are written as one number."""
FEWEST, MOST = 3, 12
_LAST_PLACES = 2
"""So many units of the result's last digit may be between it and what follows from the numbers."""


def legible_digits(term: Term, notation: Notation, *, expand: bool) -> int:
    """The digits for the numbers of a term, written as `rendering.render` does."""
    return _fewest(lambda rounded: _evaluated(term, rounded, expand), term.value, notation)


def legible_sum_digits(addends: Sequence[float], notation: Notation) -> int:
    """The digits for numbers of which the sum is written beside them."""
    return _fewest(lambda rounded: sum(map(rounded, addends)), sum(addends), notation)


def opened(term: Term, *, expand: bool) -> Term:
    """The sum by which a value before squashing was computed, where that is to be written in its place."""
    if expand and term.definition is not None and term.role.endswith("_pre"):
        return term.definition
    return term


def _evaluated(term: Term, rounded: Callable[[float], float], expand: bool) -> float:
    """The value of a term whose numbers are rounded."""
    term = opened(term, expand=expand)
    if term.kind in LEAVES:
        return rounded(term.value)
    if term.kind not in OPERATIONS:
        return term.value
    return float(OPERATIONS[term.kind](*[_evaluated(part, rounded, expand) for part in term.parts]))


def _rounded(notation: Notation, digits: int, value: float) -> float:
    return notation.read(notation.number(value, digits))


def _fewest(result: Callable[[Callable[[float], float]], float], expected: float, notation: Notation) -> int:
    with np.errstate(all="ignore"):
        for digits in range(FEWEST, MOST):
            if not np.isfinite(expected):
                return FEWEST
            reach = _LAST_PLACES * notation.last_place(notation.number(expected))
            if abs(result(partial(_rounded, notation, digits)) - expected) <= reach:
                return digits
            if (
                digits == FEWEST
            ):  # what was recorded need not follow from its operands: then digits do not help
                expected = result(float)
    return MOST

"""What a term lies between, read from how it is made."""

from __future__ import annotations

from itertools import product
from math import inf, isnan

from lstmtui.cells.terms import RANGES, Term

UNIT_INTERVAL = (0, 1)


def range_of(term: Term) -> tuple[float, float]:
    """The least and the largest value a term can have; ±inf where nothing bounds it.

    Terms are taken to vary independently: (1 − z)·n + z·h is as wide as the sum of the two.
    """
    match term.kind, term.parts:
        case kind, _ if kind in RANGES:
            return RANGES[kind]
        case "number", _:
            return term.value, term.value
        case "symbol", _ if term.definition is not None:
            return range_of(term.definition)
        case (("+" | "-"), (a, b)):
            (a_low, a_high), (b_low, b_high) = range_of(a), range_of(b)
            return (a_low + b_low, a_high + b_high) if term.kind == "+" else (a_low - b_high, a_high - b_low)
        case "*", (a, b):
            ends = [x * y for x, y in product(range_of(a), range_of(b))]
            ends = [0 if isnan(end) else end for end in ends]  # 0 times what has no bound
            return min(ends), max(ends)
    return -inf, inf

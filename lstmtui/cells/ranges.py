"""What a term lies between, read from how it is made."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from itertools import product
from math import inf, isnan

from lstmtui.cells.sameness import same
from lstmtui.cells.terms import RANGES, Term

UNIT_INTERVAL = (0, 1)

Range = tuple[float, float]
_NO_BOUND: Range = (-inf, inf)


def range_of(term: Term, states: Mapping[str, Range] | None = None) -> Range:
    """The least and the largest value a term can have; ±inf where nothing bounds it.

    Terms are taken to vary independently: (1 − z)·n + z·h is as wide as the sum of the two. Known are a share
    of a sum that it is part of, f / (f + i), and what a maximum of it is taken from, a − max(a, b).

    Args:
        term: any.
        states: the ranges of states of the timestep before.
    """

    def inside(part: Term) -> Range:
        return range_of(part, states)

    match term.kind, term.parts:
        case kind, _ if kind in RANGES:
            return RANGES[kind]
        case "number", _:
            return term.value, term.value
        case "symbol", _ if term.definition is not None:
            return inside(term.definition)
        case "symbol", _:
            return (states or {}).get(term.role, _NO_BOUND)
        case "+", (a, b):
            (a_low, a_high), (b_low, b_high) = inside(a), inside(b)
            return a_low + b_low, a_high + b_high
        case "-", (a, b):
            (a_low, a_high), (b_low, b_high) = inside(a), inside(b)
            is_under = any(same(part, a) for part in _opened(b, "max"))
            return a_low - b_high, min(a_high - b_low, 0 if is_under else inf)
        case "*", (a, b):
            return _hull(x * y for x, y in product(inside(a), inside(b)))
        case "/", (a, b):
            return _quotient(a, b, inside)
        case "neg", (a,):
            low, high = inside(a)
            return -high, -low
        case "abs", (a,):
            low, high = inside(a)
            return max(low, -high, 0), max(-low, high)
        case (("max" | "min"), (a, b)):
            pick = max if term.kind == "max" else min
            (a_low, a_high), (b_low, b_high) = inside(a), inside(b)
            return pick(a_low, b_low), pick(a_high, b_high)
        case "<", _:
            return UNIT_INTERVAL
        case "clamp", (a, low, high):
            least, most = (min(max(end, low.value), high.value) for end in inside(a))
            return least, most
        case kind, (a,) if kind in _RISING:
            low, high = inside(a)
            return _RISING[kind](low), _RISING[kind](high)
    return _NO_BOUND


def _quotient(a: Term, b: Term, inside: Callable[[Term], Range]) -> Range:
    addends = _opened(b, "+")
    is_share = all(inside(addend)[0] >= 0 for addend in addends) and any(
        same(a, addend) for addend in addends
    )
    if is_share and len(addends) > 1:
        return UNIT_INTERVAL
    low, high = inside(b)
    if low < 0 < high:
        return _NO_BOUND
    turned = (1 / high if high else -inf, 1 / low if low else inf)
    return _hull(x * y for x, y in product(inside(a), turned))


def _opened(term: Term, kind: str) -> list[Term]:
    """The operands of nested operations of one kind, through the quantity that they define."""
    if term.kind == "symbol" and term.definition is not None and term.definition.kind == kind:
        term = term.definition
    return [t for part in term.parts for t in _opened(part, kind)] if term.kind == kind else [term]


def _hull(ends: Iterable[float]) -> Range:
    every = [0 if isnan(end) else end for end in ends]  # 0 times what has no bound
    return min(every), max(every)


def _exp(v: float) -> float:
    return math.exp(v) if v < 700 else inf


def _softplus(v: float) -> float:
    return max(v, 0.0) + math.log1p(math.exp(-abs(v)))


_RISING: dict[str, Callable[[float], float]] = {
    "exp": _exp,
    "log": lambda v: math.log(v) if v > 0 else -inf,
    "sqrt": lambda v: math.sqrt(v) if v > 0 else 0.0,
    "softplus": _softplus,
    "logsigmoid": lambda v: -_softplus(-v),
}
"""Functions that rise throughout, so that they take the ends of an interval to its ends."""

"""How a state is kept: its equation as kept factor ⊙ old state + what is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from lstmtui.cells.sameness import add_up_to_one, same
from lstmtui.cells.terms import RANGES, Term, symbols_in

_Sum: TypeAlias = tuple[tuple[bool, Term], ...]
"""Addends, each with whether it is subtracted; () is 0."""

_RISING = ("exp", "log", "sqrt", "softplus", "logsigmoid", "clamp")
"""Functions that rise with their first part."""

_ONE = Term("number", text="1", value=1.0)


@dataclass(frozen=True, eq=False)
class Keeping:
    """A state's equation, with the gates taken as they are."""

    factor: Term
    """What the old state is multiplied by, unit by unit: f, z, 1 − z."""

    written: Term | None
    """What is added to that: i·g, (1 − z)·n; None for nothing."""

    kept_first: bool
    """Whether the equation names the old state before what is written."""

    @property
    def is_average(self) -> bool:
        """Whether the two shares add up to 1: then the state stays within what is written to it."""
        shares = _factors(self.written) if self.written is not None else []
        return any(add_up_to_one(share, self.factor) for share in shares)


def keeping_of(term: Term, state: str) -> Keeping | None:
    """How `term`, which defines `state`, keeps the old one; None where no factor does that alone.

    Quantities that are made of the old state without squashing, such as f·c on its own, are looked into. One
    that is clamped keeps it where it has not come to a bound.
    """
    new = Term("symbol", text=state, role=state, value=term.value, vector=term.vector, definition=term)
    coefficient, rest = _affine(new, state)
    if not coefficient or not all(is_computed(factor) for _, factor in coefficient):
        return None
    if any(symbol.is_old(state) for _, addend in rest for symbol in symbols_in(addend)):
        return None  # it comes back by another way too, such as a matrix: the factor is not all that keeps it
    first = _addends(term.parts[0] if _bounds(term) else term)[0]
    return Keeping(_built(coefficient), _built(rest) if rest else None, bool(_affine(first, state)[0]))


def carriers_of(term: Term, state: str) -> Iterator[str]:
    """The quantities by which the old state comes into a term that keeps it: f·c where that has a name."""
    if term.kind == "symbol" and term.definition is not None and _affine(term.definition, state)[0]:
        yield term.role
        yield from carriers_of(term.definition, state)
    for part in term.parts[: 1 if term.kind == "/" else None]:
        if _affine(part, state)[0]:
            yield from carriers_of(part, state)


def _affine(term: Term, state: str) -> tuple[_Sum, _Sum]:
    """(coefficient, rest): term = coefficient ⊙ old state + rest, with what is not so simple in the rest."""
    opaque: tuple[_Sum, _Sum] = ((), ((False, term),))
    match term.kind, term.parts:
        case "symbol", _:
            if term.is_old(state):
                return ((False, _ONE),), ()
            inside = ((), ()) if term.definition is None else _defined(term, term.definition, state)
            return inside if inside[0] else opaque
        case (("+" | "-"), (a, b)):
            (a_factor, a_rest), (b_factor, b_rest) = _affine(a, state), _affine(b, state)
            if not a_factor and not b_factor:
                return opaque
            turn = term.kind == "-"
            return (*a_factor, *_turned(b_factor, turn)), (*a_rest, *_turned(b_rest, turn))
        case "*", (a, b):
            (a_factor, a_rest), (b_factor, b_rest) = _affine(a, state), _affine(b, state)
            if bool(a_factor) == bool(b_factor):
                return opaque
            if b_factor:
                return _scaled(b_factor, a), _scaled(b_rest, a)
            return _scaled(a_factor, b), _scaled(a_rest, b)
        case "/", (a, b):
            factor, rest = _affine(a, state)
            return (_over(factor, b), _over(rest, b)) if factor else opaque
        case "neg", (a,):
            factor, rest = _affine(a, state)
            return (_turned(factor, True), _turned(rest, True)) if factor else opaque
    return opaque


def _defined(result: Term, definition: Term, state: str) -> tuple[_Sum, _Sum]:
    """The same of a quantity by what defines it; where it is clamped, by whether it has come to a bound."""
    bounds = _bounds(definition)
    factor, rest = _affine(definition.parts[0] if bounds else definition, state)
    for side, bound in bounds:
        is_inside = bound.below(result) if side == "max" else result.below(bound)
        factor, rest = _within(factor, is_inside), _within(rest, is_inside)
        if bound.value:
            rest = (*rest, (False, bound * (1 - is_inside)))
    return factor, rest


def _bounds(term: Term) -> list[tuple[str, Term]]:
    """The numbers that a term is clamped to: from below, as by max, and from above, as by min."""
    if term.kind not in ("clamp", "max", "min") or any(part.kind != "number" for part in term.parts[1:]):
        return []
    sides = ("max", "min") if term.kind == "clamp" else (term.kind,)
    return [*zip(sides, term.parts[1:], strict=True)]


def _within(addends: _Sum, is_inside: Term) -> _Sum:
    return tuple((minus, is_inside if term is _ONE else term * is_inside) for minus, term in addends)


def _turned(addends: _Sum, turn: bool) -> _Sum:
    return tuple((subtracted != turn, term) for subtracted, term in addends)


def _scaled(addends: _Sum, factor: Term) -> _Sum:
    return tuple((minus, factor if term is _ONE else factor * term) for minus, term in addends)


def _over(addends: _Sum, divisor: Term) -> _Sum:
    return tuple((minus, term / divisor) for minus, term in addends)


def _built(addends: _Sum) -> Term:
    """A sum as one term, what is added before what is subtracted."""
    added = [term for minus, term in addends if not minus]
    taken = [term for minus, term in addends if minus]
    whole = added[0] if added else -taken.pop(0)
    for term in added[1:]:
        whole = whole + term
    for term in taken:
        whole = whole - term
    return whole


def normalized(term: Term, keeping: Mapping[str, Keeping]) -> tuple[str, str] | None:
    """The states of the quotient that a term shows, both of them kept by the same factor: c / n of an sLSTM.

    Args:
        term: what defines h.
        keeping: how each state is kept.
    """
    for part in term.parts:
        if (pair := normalized(part, keeping)) is not None:
            return pair
    if term.kind != "/" or not all(
        part.kind == "symbol" and part.definition is not None for part in term.parts
    ):
        return None
    a, b = (keeping.get(part.role) for part in term.parts)
    if a is None or b is None or b.written is None or not same(a.factor, b.factor):
        return None
    return term.parts[0].role, term.parts[1].role


def keeping_of_quotient(a: Keeping, b: Keeping, divisor: Term) -> Keeping:
    """How a quotient of two states that the same factor keeps is kept itself.

    Of c = f·c₋₁ + i·z and n = f·n₋₁ + i, c / n is f·n₋₁/n · (c₋₁ / n₋₁) + i·z / n, and f·n₋₁/n is 1 − i / n.

    Args:
        a: of the dividend.
        b: of the divisor.
        divisor: its new value.
    """
    assert b.written is not None
    written = None if a.written is None else a.written / divisor
    return Keeping(1 - b.written / divisor, written, a.kept_first)


def _addends(term: Term) -> list[Term]:
    return [t for part in term.parts for t in _addends(part)] if term.kind in ("+", "-", "neg") else [term]


def _factors(term: Term) -> list[Term]:
    return [t for part in term.parts for t in _factors(part)] if term.kind == "*" else [term]


def is_computed(term: Term) -> bool:
    """Whether it can be worked out unit by unit from quantities of the same timestep and from parameters."""
    symbols = list(symbols_in(term))
    return all(s.kind == "symbol" and (s.definition is not None or s.role == "parameter") for s in symbols)


def side_of(term: Term, quantity: str) -> int:
    """1 where a term between 0 and 1 rises with a gate, −1 where it falls with it, 0 where it does neither.

    Quantities that are not squashed, such as f = 1 − i, are looked into.
    """
    if term.kind == "symbol" and term.role == quantity:
        return 1
    if term.kind == "symbol" and term.definition is not None and term.definition.kind not in RANGES:
        return side_of(term.definition, quantity)
    if term.kind in ("neg", *_RISING):
        side = side_of(term.parts[0], quantity)
        return -side if term.kind == "neg" else side
    if term.kind == "/" and term.parts[0].role == quantity:
        return 1  # also as a share of a sum that it is part of: f / (f + i)
    if term.kind not in ("+", "-", "*", "/"):
        return 0
    a, b = (side_of(part, quantity) for part in term.parts)
    b = -b if term.kind in ("-", "/") else b
    return a or b if not a or not b or a == b else 0


def names_in(term: Term | None) -> tuple[str, ...]:
    """The quantities a term is written with, from left to right."""
    return (
        ()
        if term is None
        else tuple(dict.fromkeys(s.role for s in symbols_in(term) if s.definition is not None))
    )

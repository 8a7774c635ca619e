"""An equation as a sum of products: what is added up, and what each of that is a product of."""

from __future__ import annotations

from typing import NamedTuple

from lstmtui.cells.terms import Term

_ONE = Term("number", text="1", value=1.0)


class Addend(NamedTuple):
    """One summand of an equation."""

    is_subtracted: bool
    factors: tuple[Term, ...]
    """What it is a product of, from left to right; one alone where it is no product."""


class Opened(NamedTuple):
    """A sum, and the functions of one value that it goes through."""

    functions: tuple[Term, ...]
    """From the outermost to the innermost: the terms that they give."""
    name: str
    """Of the value before squashing that the sum makes; empty where it has none."""
    inside: Term


def addends_of(term: Term) -> tuple[Addend, ...]:
    """The summands of a term, from left to right.

    A factor that is a sum itself, such as 1 − z, stays one; only what has a product with a matrix in it is
    multiplied out: r·(R_n·h + b′_n).
    """
    match term.kind, term.parts:
        case "+", (a, b):
            return (*addends_of(a), *addends_of(b))
        case "-", (a, b):
            return (*addends_of(a), *_turned(addends_of(b)))
        case "neg", (a,):
            return _turned(addends_of(a))
        case "*", (a, b):
            return _multiplied(_factor(a), _factor(b))
        case "/", (a, b):
            return _multiplied(_factor(a), (Addend(False, (Term("/", parts=(_ONE, b)),)),))
    return (Addend(False, (term,)),)


def opened(term: Term) -> Opened:
    """What is inside the functions of one value that a term begins with: of σ(f_pre) the sum of f_pre."""
    functions: list[Term] = []
    name = ""
    while len(term.parts) == 1 and term.kind not in ("neg", "layer_norm"):
        functions.append(term)
        term = term.parts[0]
        if term.kind == "symbol" and term.definition is not None and term.role.endswith("_pre"):
            name, term = term.role, term.definition
            break
    return Opened(tuple(functions), name, term)


def has_matrix(term: Term) -> bool:
    """Whether there is a product with a matrix in a term itself."""
    return term.kind == "@" or any(has_matrix(part) for part in term.parts)


def _factor(term: Term) -> tuple[Addend, ...]:
    """The summands that a product is multiplied out over; the term as one where it is not."""
    every = addends_of(term)
    if len(every) == 1 or (term.kind in ("+", "-") and has_matrix(term)):
        return every
    return (Addend(False, (term,)),)


def _multiplied(a: tuple[Addend, ...], b: tuple[Addend, ...]) -> tuple[Addend, ...]:
    return tuple(
        Addend(left.is_subtracted != right.is_subtracted, (*left.factors, *right.factors))
        for left in a
        for right in b
    )


def _turned(addends: tuple[Addend, ...]) -> tuple[Addend, ...]:
    return tuple(Addend(not addend.is_subtracted, addend.factors) for addend in addends)

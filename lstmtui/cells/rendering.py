"""Terms as text: each piece with its role, so that a front end can colour it."""

from __future__ import annotations

from typing import TypeAlias

from lstmtui.cells.legibility import LEAVES, legible_digits, opened
from lstmtui.cells.notation import Notation
from lstmtui.cells.terms import Term

Spans: TypeAlias = tuple[tuple[str, str], ...]
"""Pieces of text with a role each: a quantity name, "parameter", "number" or "sign"."""

_BINDING = {"+": 1, "-": 1, "*": 2, "@": 3}


def render(term: Term, notation: Notation, *, numeric: bool, expand: bool) -> Spans:
    """Write a term.

    Args:
        term: what to write.
        notation: Unicode or ASCII signs.
        numeric: numbers in place of symbols; a product W·x becomes one number. They have three digits, or as
            many as make the result follow from what is written.
        expand: write a value before squashing as the sum it was computed by.
    """
    return _render(term, notation, legible_digits(term, notation, expand=expand) if numeric else None, expand)


def _render(term: Term, notation: Notation, digits: int | None, expand: bool) -> Spans:
    term = opened(term, expand=expand)
    if digits is not None and term.kind in LEAVES:
        return ((notation.number(term.value, digits), "number"),)
    if term.kind in ("symbol", "number", "matrix"):
        return ((term.text, term.role or "number"),)
    if term.kind in _BINDING:
        return _infix(term, notation, digits, expand)
    function = notation.sigmoid if term.kind == "sigmoid" else term.kind
    inside = _render(term.parts[0], notation, digits, expand)
    return ((f"{function}(", "sign"), *inside, (")", "sign"))


def _infix(term: Term, notation: Notation, digits: int | None, expand: bool) -> Spans:
    left, right = (
        _bracketed(part, term, notation, digits, expand, first=position == 0)
        for position, part in enumerate(term.parts)
    )
    if term.kind in ("*", "@"):
        return (*left, (notation.times, "sign"), *right)
    sign = "+" if term.kind == "+" else notation.minus
    if sign == "+" and right[0][1] == "number" and right[0][0].startswith(notation.minus):
        sign = notation.minus
        right = ((right[0][0].removeprefix(notation.minus), "number"), *right[1:])
    return (*left, (f" {sign} ", "sign"), *right)


def _bracketed(
    part: Term, whole: Term, notation: Notation, digits: int | None, expand: bool, *, first: bool
) -> Spans:
    """An operand of `whole`, in brackets where it binds less or is a negative number after a sign."""
    spans = _render(part, notation, digits, expand)
    looser = _BINDING.get(part.kind, 9) < _BINDING[whole.kind] and len(spans) > 1
    negative = len(spans) == 1 and spans[0][0].startswith(notation.minus) and whole.kind != "+"
    if looser or (negative and not (first and whole.kind == "-")):
        return (("(", "sign"), *spans, (")", "sign"))
    return spans


def text(spans: Spans) -> str:
    """The pieces as one string."""
    return "".join(piece for piece, _ in spans)

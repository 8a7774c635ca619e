"""Terms as text: each piece with its role, so that a front end can colour it."""

from __future__ import annotations

from typing import TypeAlias

from lstmtui.cells.legibility import LEAVES, legible_digits, opened
from lstmtui.cells.notation import Notation
from lstmtui.cells.terms import Term

Spans: TypeAlias = tuple[tuple[str, str], ...]
"""Pieces of text with a role each: a quantity name, "parameter", "number" or "sign"."""

_BINDING = {"+": 1, "-": 1, "neg": 2, "*": 2, "/": 2, "@": 3}
_NAMES = {"sqrt": ("√", "sqrt"), "layer_norm": ("LN", "LN")}
"""Functions with a sign of their own, in Unicode and in ASCII."""


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
    if term.kind == "number":
        return ((term.text.replace("-", notation.minus), "number"),)
    if term.kind in ("symbol", "matrix"):
        return ((term.text, term.role),)
    if term.kind == "neg":
        return (notation.minus, "sign"), *_bracketed(
            term.parts[0], term, notation, digits, expand, first=False
        )
    if term.kind in _BINDING:
        return _infix(term, notation, digits, expand)
    inside = [_render(part, notation, digits, expand) for part in term.parts]
    if term.kind == "abs":
        return ("|", "sign"), *inside[0], ("|", "sign")
    if term.kind == "<":
        return ("[", "sign"), *inside[0], (" < ", "sign"), *inside[1], ("]", "sign")
    listed = [span for spans in inside[1:] for span in ((", ", "sign"), *spans)]
    return (f"{_function(term.kind, notation)}(", "sign"), *inside[0], *listed, (")", "sign")


def _function(kind: str, notation: Notation) -> str:
    if kind == "sigmoid":
        return notation.sigmoid
    return _NAMES[kind][notation.ascii] if kind in _NAMES else kind


def _infix(term: Term, notation: Notation, digits: int | None, expand: bool) -> Spans:
    left, right = (
        _bracketed(part, term, notation, digits, expand, first=position == 0)
        for position, part in enumerate(term.parts)
    )
    if term.kind in ("*", "@", "/"):
        return (*left, ("/" if term.kind == "/" else notation.times, "sign"), *right)
    sign = "+" if term.kind == "+" else notation.minus
    if sign == "+" and right[0][1] == "number" and right[0][0].startswith(notation.minus):
        sign = notation.minus
        right = ((right[0][0].removeprefix(notation.minus), "number"), *right[1:])
    return (*left, (f" {sign} ", "sign"), *right)


def _bracketed(
    part: Term, whole: Term, notation: Notation, digits: int | None, expand: bool, *, first: bool
) -> Spans:
    """An operand of `whole`, in brackets where it binds less or is a negative number after a sign."""
    part = opened(part, expand=expand)
    spans = _render(part, notation, digits, expand)
    binding = _BINDING.get(part.kind, 9)
    looser = binding < _BINDING[whole.kind] or (not first and _regroups(part.kind, whole.kind))
    negative = len(spans) == 1 and spans[0][0].startswith(notation.minus) and whole.kind != "+"
    if (looser and len(spans) > 1) or (negative and not (first and whole.kind == "-")):
        return (("(", "sign"), *spans, (")", "sign"))
    return spans


def _regroups(part: str, whole: str) -> bool:
    """Whether an operand that is not the first reads as something else without brackets: a − (b + c)."""
    if part == "neg":
        return True
    return (
        (whole == "-" and part in ("+", "-"))
        or (whole == "*" and part == "/")
        or (whole == "/" and part in ("*", "/"))
    )


def text(spans: Spans) -> str:
    """The pieces as one string."""
    return "".join(piece for piece, _ in spans)

"""Whether two terms are written alike."""

from __future__ import annotations

from lstmtui.cells.terms import Term


def same(a: Term, b: Term) -> bool:
    """Whether two terms are written alike, the old and the new value of a state told apart."""
    if (a.kind, a.text, len(a.parts), a.definition is None) != (
        b.kind,
        b.text,
        len(b.parts),
        b.definition is None,
    ):
        return False
    return all(same(x, y) for x, y in zip(a.parts, b.parts, strict=True))


def add_up_to_one(a: Term, b: Term) -> bool:
    """Whether two terms are the parts of 1: z and 1 − z, f / (f + i) and i / (f + i)."""
    a, b = _opened(a), _opened(b)
    return _is_one_minus(a, b) or _is_one_minus(b, a) or _are_shares(a, b)


def _opened(term: Term) -> Term:
    """What defines a quantity, where that says what it is a part of."""
    definition = term.definition
    return definition if definition is not None and definition.kind in ("-", "/") else term


def _is_one_minus(whole: Term, part: Term) -> bool:
    """Whether `whole` is written 1 − `part`."""
    if whole.kind != "-" or whole.parts[0].kind != "number" or whole.parts[0].value != 1:
        return False
    return same(whole.parts[1], part)


def _are_shares(a: Term, b: Term) -> bool:
    """Whether they are written p / (p + q) and q / (p + q)."""
    if a.kind != "/" or b.kind != "/" or not same(a.parts[1], b.parts[1]) or a.parts[1].kind != "+":
        return False
    p, q = a.parts[1].parts
    return (same(a.parts[0], p) and same(b.parts[0], q)) or (same(a.parts[0], q) and same(b.parts[0], p))

"""The ways by which an equation reads a symbol: what a derivative meets on its way back through each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple, TypeAlias

from lstmtui.cells.notation import Notation
from lstmtui.cells.terms import RANGES, Term


class Passage(NamedTuple):
    """One operation that a derivative passes on its way back."""

    kind: Literal["factor", "minus", "slope", "matrix"]
    term: Term
    """The other factor of a product; for a slope what the squashing function gives; the matrix."""


Way: TypeAlias = tuple[Passage, ...]
"""From the whole of an equation to a symbol in it: () where it is the symbol itself."""


def ways_to(term: Term, is_wanted: Callable[[Term], bool]) -> Iterator[Way]:
    """Every way from a term to the symbols that `is_wanted` picks, from left to right.

    What defines a symbol is not looked into: the derivative by it is total, and has ways of its own.
    """
    match term.kind, term.parts:
        case "symbol", _:
            if is_wanted(term):
                yield ()
        case (("+" | "-"), (a, b)):
            yield from ways_to(a, is_wanted)
            turned = () if term.kind == "+" else (Passage("minus", b),)
            yield from ((*turned, *way) for way in ways_to(b, is_wanted))
        case "*", (a, b):
            yield from ((Passage("factor", b), *way) for way in ways_to(a, is_wanted))
            yield from ((Passage("factor", a), *way) for way in ways_to(b, is_wanted))
        case "@", (matrix, operand):
            yield from ((Passage("matrix", matrix), *way) for way in ways_to(operand, is_wanted))
        case kind, (inside,) if kind in RANGES:
            yield from ((Passage("slope", term), *way) for way in ways_to(inside, is_wanted))


def slope_text(kind: str, own: str, squared: str, notation: Notation) -> str:
    """The derivative of a squashing function as it is written.

    Args:
        kind: the function.
        own: what it gives, as that is written: f, tanh(c₁₁).
        squared: the square of that.
        notation: Unicode or ASCII signs.
    """
    if kind == "sigmoid":
        return f"{own}{notation.times}(1 {notation.minus} {own})"
    return f"(1 {notation.minus} {squared})" if kind == "tanh" else f"[{own} > 0]"

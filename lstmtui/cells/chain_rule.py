"""The ways by which an equation reads a symbol: what a derivative meets on its way back through each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple, TypeAlias

from lstmtui.cells.notation import UNICODE
from lstmtui.cells.terms import Term


class Passage(NamedTuple):
    """One operation that a derivative passes on its way back."""

    kind: Literal["factor", "over", "minus", "slope", "matrix", "layer_norm"]
    term: Term
    """The other factor of a product; what is divided by; the matrix; for a slope and a layer normalization
    what the function gives."""
    position: int = 0
    """For a slope: by which part of the term."""


_SQUASHING, _OTHERS = ("sigmoid", "tanh", "relu"), ("exp", "log", "sqrt", "softplus", "logsigmoid", "abs")
SLOPED = frozenset((*_SQUASHING, *_OTHERS, "max", "min", "clamp"))
"""The functions of one unit, or of two values of it."""

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
        case "/", (a, b):
            yield from ((Passage("over", b), *way) for way in ways_to(a, is_wanted))
            back = (Passage("minus", b), Passage("factor", term), Passage("over", b))
            yield from ((*back, *way) for way in ways_to(b, is_wanted))
        case "neg", (inside,):
            yield from ((Passage("minus", inside), *way) for way in ways_to(inside, is_wanted))
        case "layer_norm", (inside,):
            yield from ((Passage("layer_norm", term), *way) for way in ways_to(inside, is_wanted))
        case kind, parts if kind in SLOPED:
            for position, part in enumerate(parts):
                yield from ((Passage("slope", term, position), *way) for way in ways_to(part, is_wanted))


def slope_text(term: Term, position: int, write: Callable[[Term], str], own: str) -> str:
    """The derivative of a function as it is written.

    Args:
        term: what the function gives.
        position: of the part that it is the derivative by.
        write: how a term is written as a factor.
        own: what it gives, as that is written: f, tanh(c₁₁).
    """
    match term.kind:
        case "sigmoid":
            return f"{own}{UNICODE.times}(1 {UNICODE.minus} {own})"
        case "tanh":
            squared = own.replace("(", "²(", 1) if "(" in own else f"{own}²"
            return f"(1 {UNICODE.minus} {squared})"
        case "relu":
            return f"[{own} > 0]"
        case "exp":
            return own
        case "log":
            return f"1/{write(term.parts[0])}"
        case "sqrt":
            return f"1/(2{UNICODE.times}{own})"
        case "softplus":
            return f"{UNICODE.sigmoid}({write(term.parts[0])})"
        case "logsigmoid":
            return f"(1 {UNICODE.minus} {UNICODE.sigmoid}({write(term.parts[0])}))"
        case "max" | "min":
            sign = ">" if term.kind == "max" else "<"
            return f"[{write(term.parts[position])} {sign} {write(term.parts[1 - position])}]"
        case "abs":
            return f"sign({write(term.parts[0])})"
    return f"[{own} is not clamped]"

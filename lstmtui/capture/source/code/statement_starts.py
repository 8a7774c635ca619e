"""Where statements begin within a line, `h = f(x, h); out.append(h)`."""

from __future__ import annotations

import ast
import dis
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from types import CodeType

from lstmtui.capture.source.code.syntax_tree import Span, span_of, tree_of

Place = tuple[int, int]


def further_starts(tree: ast.AST, instructions: Sequence[dis.Instruction]) -> frozenset[int]:
    """The offsets of the instructions with which they begin. The code may have several copies of a statement.

    Args:
        tree: of the function.
        instructions: its code.
    """
    by_line: dict[int, list[tuple[int, Place, int]]] = {}
    for at, instruction in enumerate(instructions):
        if (place := _place(instruction)) is not None:
            by_line.setdefault(place[0], []).append((at, place, instruction.offset))
    starts = set[int]()
    for first, last in _further(tree):
        near = sorted(own for line in range(first[0], last[0] + 1) for own in by_line.get(line, ()))
        before = -2
        for at, place, offset in near:
            if first <= place < last:
                if at != before + 1:
                    starts.add(offset)
                before = at
    return frozenset(starts)


@lru_cache(maxsize=32)
def is_read_at_once(code: CodeType, line: int, name: str) -> bool:
    """Whether the instruction that binds a name reads it for the next statement too, as in Python 3.13."""
    tree, instructions = tree_of(code), list(dis.get_instructions(code))
    starts = frozenset[int]() if tree is None else further_starts(tree, instructions)
    return any(
        here.opname == "STORE_FAST_LOAD_FAST"
        and here.argval == (name, name)
        and here.positions is not None
        and here.positions.lineno == line
        and following.offset in starts
        for here, following in pairwise(instructions)
    )


def _further(tree: ast.AST) -> Iterator[Span]:
    """From where to where statements stand that begin on a line on which another has begun."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.For, ast.AsyncFor)) and node.body[0].lineno == node.lineno:
            yield span_of(node.body[0], node.body[0])
        for field in ("body", "orelse", "finalbody"):
            statements = getattr(node, field, None)
            for before, own in pairwise(statements) if isinstance(statements, list) else ():
                if own.lineno == before.end_lineno:
                    yield span_of(own, own)


def _place(instruction: dis.Instruction) -> Place | None:
    positions = instruction.positions
    if positions is None or positions.lineno is None or positions.col_offset is None:
        return None
    return positions.lineno, positions.col_offset

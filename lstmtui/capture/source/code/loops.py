"""The loops of a function: the instructions that are in each, and those at which a pass of it begins."""

from __future__ import annotations

import ast
import dis
from dataclasses import dataclass
from operator import itemgetter
from types import CodeType
from typing import TypeAlias

from lstmtui.capture.source.code.syntax_tree import Span, span_of, statements_of

_LOOPS = (ast.While, ast.For, ast.AsyncFor, ast.ListComp, ast.SetComp, ast.DictComp)

Placed: TypeAlias = tuple[dis.Instruction, Span]
"""An instruction, and what of the source it is of."""


@dataclass(frozen=True, slots=True)
class Loop:
    """A for or while statement."""

    line: int
    """Of its header, in the file."""
    starts: frozenset[int]
    """The offsets of the instructions at which a pass of it begins."""
    is_for: bool
    """Whether its first pass begins with it: of a while loop a test comes before that."""


class Loops:
    """The loops of a code object.

    Attributes:
        around: the numbers of the loops that an instruction is in, outermost first, by its offset.
        loops: by number.
        starts: the offsets of all instructions at which a pass of a loop begins.
        landings: where jumps back go to that stay in their line, by the offset of the jump.
    """

    def __init__(self, code: CodeType, tree: ast.AST | None) -> None:
        self.around: dict[int, tuple[int, ...]] = {}
        self.loops: list[Loop] = []
        instructions = [i for i in dis.get_instructions(code) if i.positions is not None]
        if tree is None or not self._read(instructions, tree):
            self.around, self.loops = {}, []
            self._guess(instructions)
        same: dict[tuple[int, ...], tuple[int, ...]] = {}
        # One object for all instructions of a loop, so that whether it was left is seen at once.
        self.around = {offset: same.setdefault(own, own) for offset, own in self.around.items()}
        self.starts = frozenset(offset for loop in self.loops for offset in loop.starts)
        # 3.13 calls a trace function before a jump back within a line, the others once it has been made.
        self.landings = {i.offset: i.argval for i in instructions if _is_jump_back_in_line(i, instructions)}

    def started_by(self, offset: int) -> int:
        """The loop of which a pass begins with an instruction; −1: of none."""
        return next((n for n, loop in enumerate(self.loops) if offset in loop.starts), -1)

    def _read(self, instructions: list[dis.Instruction], tree: ast.AST) -> bool:
        """By the statements of the source; False where these are not those of the code."""
        by_line: dict[int, list[tuple[int, Placed]]] = {}
        for at, instruction in enumerate(instructions):
            if (place := _place(instruction)) is not None:
                by_line.setdefault(place[0][0], []).append((at, (instruction, place)))
        for node in statements_of(tree):
            if not isinstance(node, _LOOPS):
                continue
            # Those of its lines alone: a long function has many loops.
            lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
            near = sorted((own for line in lines for own in by_line.get(line, ())), key=itemgetter(0))
            placed = [own for _, own in near]
            if isinstance(node, ast.While):
                self._add_while(node, placed)
            elif isinstance(node, (ast.For, ast.AsyncFor)):
                parts = [span_of(node.body[0], node.body[-1]), span_of(node.target, node.target)]
                has_code = any(_is_in(place, parts[0]) for _, place in placed)
                if not self._add_for(node, node.iter, parts, placed) and has_code:
                    return False
            else:
                self._add_comprehension(node, placed)
        return True

    def _add_while(self, node: ast.While, placed: list[Placed]) -> None:
        whole, body = span_of(node, node.body[-1]), span_of(node.body[0], node.body[-1])
        inside = [i.offset for i, place in placed if _is_in(place, whole)]
        in_body = [i.offset for i, place in placed if _is_in(place, body)]
        if not in_body:
            return
        starts, is_on_one_line = {min(in_body)}, node.lineno == node.body[0].lineno
        if not is_on_one_line and any(isinstance(part, ast.NamedExpr) for part in ast.walk(node.test)):
            # What the test binds is of the pass that it lets begin. It stands before the loop and at its end.
            test = [_is_in(place, span_of(node.test, node.test)) for _, place in placed]
            before = [False, *test]
            starts = {
                i.offset for (i, _), own, last in zip(placed, test, before, strict=False) if own and not last
            }
        self._add(Loop(node.lineno, frozenset(starts), is_on_one_line), inside)

    def _add_for(self, node: ast.AST, over: ast.expr, parts: list[Span], placed: list[Placed]) -> bool:
        """A loop over something, which takes the next item at one place; False where that is not there."""
        whole, span = span_of(node, node), span_of(over, over)
        ats = [
            at
            for at, (i, place) in enumerate(placed)
            # The instruction is placed at the whole statement, or at what is looped over.
            if i.opname in ("FOR_ITER", "GET_ANEXT") and (place == whole or _is_in(place, span))
        ]
        starts = []
        for at in ats[-1:]:  # a comprehension that is looped over has one of its own before it
            starts.append(placed[at][0].offset)
            while at and placed[at - 1][0].opname == "EXTENDED_ARG":
                at -= 1
                starts.append(placed[at][0].offset)
        if starts:
            inside = [i.offset for i, place in placed if any(_is_in(place, part) for part in parts)]
            self._add(Loop(node.lineno, frozenset(starts), True), [*starts, *inside])  # type: ignore[attr-defined]
        return bool(starts)

    def _add_comprehension(
        self, node: ast.ListComp | ast.SetComp | ast.DictComp, placed: list[Placed]
    ) -> None:
        """A comprehension that runs within its function, as all but generators do from Python 3.12 on."""
        element = (
            span_of(node.key, node.value) if isinstance(node, ast.DictComp) else span_of(node.elt, node.elt)
        )
        for at, own in enumerate(node.generators):
            parts = [element, span_of(own.target, own.target), *(span_of(test, test) for test in own.ifs)]
            for inner in node.generators[at + 1 :]:
                parts += [span_of(inner.target, inner.iter), *(span_of(test, test) for test in inner.ifs)]
            self._add_for(node, own.iter, parts, placed)

    def _add(self, loop: Loop, offsets: list[int]) -> None:
        number = len(self.loops)
        self.loops.append(loop)
        for offset in dict.fromkeys(offsets):
            self.around[offset] = (*self.around.get(offset, ()), number)

    def _guess(self, instructions: list[dis.Instruction]) -> None:
        """By jumps backward, where there is no source."""
        last: dict[int, int] = {}
        for instruction in instructions:
            target = instruction.argval
            if "JUMP" in instruction.opname and isinstance(target, int) and target < instruction.offset:
                last[target] = max(last.get(target, 0), instruction.offset)
        by_offset = {i.offset: i for i in instructions}
        for start, end in sorted(last.items(), key=lambda pair: (pair[0], -pair[1])):
            first = by_offset.get(start)
            while first is not None and first.opname == "EXTENDED_ARG":
                first = by_offset.get(first.offset + 2)
            place = None if first is None else first.positions
            if first is None or place is None or place.lineno is None:
                continue
            if first.opname == "SEND":
                continue  # an await, which goes round until its result is there
            is_for = first.opname == "FOR_ITER"
            inside = [i.offset for i in instructions if start <= i.offset <= end]
            self._add(Loop(place.lineno, frozenset({start}), is_for), inside)


def _place(instruction: dis.Instruction) -> Span | None:
    p = instruction.positions
    if (
        p is None
        or p.lineno is None
        or p.end_lineno is None
        or p.col_offset is None
        or p.end_col_offset is None
    ):
        return None
    return (p.lineno, p.col_offset), (p.end_lineno, p.end_col_offset)


def _is_jump_back_in_line(jump: dis.Instruction, instructions: list[dis.Instruction]) -> bool:
    if jump.opname != "JUMP_BACKWARD" or jump.positions is None:
        return False
    target = next((i for i in instructions if i.offset == jump.argval), None)
    return (
        target is not None
        and target.positions is not None
        and (target.positions.lineno == jump.positions.lineno)
    )


def _is_in(place: Span, span: Span) -> bool:
    return span[0] <= place[0] and place[1] <= span[1]

"""What is known of a code object before it runs: its loops, the names and attributes that it binds."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from itertools import zip_longest
from types import CodeType, FrameType

from lstmtui.capture.source.code.assignments import changed_in_place, left_empty
from lstmtui.capture.source.code.instructions import LEAVES
from lstmtui.capture.source.code.loops import Loops
from lstmtui.capture.source.code.stretches import Stretches
from lstmtui.capture.source.code.syntax_tree import tree_of

_COMPREHENSIONS = ("<listcomp>", "<setcomp>", "<dictcomp>")


class CodeFacts:
    """Everything about one code object that a trace function asks while it runs.

    Attributes:
        loops: its loops.
        stretches: what runs from each of its instructions on.
        arguments: the names of its parameters.
        shared: the local names that functions within it may bind too.
        attributes: those of objects in local names that it binds, and items of dicts, as its source writes
            them: self.hidden, state['h'].
        unpacked: the names that it unpacks itself, `h, c = hx`, with where it does so last.
        globals: the global names that it binds.
        starts: the offsets at which a statement begins that is not the first on its line.
        empty: the lines and names that are bound to memory as it happens to be, or get a part of it.
        leaves: the offsets of the instructions by which a call returns or is suspended.
        is_suspended: whether it is a generator or a coroutine.
        is_comprehension: whether it is a comprehension, which some versions of Python give a frame.
    """

    def __init__(self, frame: FrameType) -> None:
        code = frame.f_code
        tree = tree_of(code, frame.f_globals)
        self.code = code
        self.loops = Loops(code, tree)
        count = code.co_argcount + code.co_kwonlyargcount
        count += bool(code.co_flags & inspect.CO_VARARGS) + bool(code.co_flags & inspect.CO_VARKEYWORDS)
        self.arguments = tuple(name for name in code.co_varnames[:count] if name.isidentifier())
        self.is_suspended = bool(
            code.co_flags & (inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR)
        )
        self.is_comprehension = code.co_name in _COMPREHENSIONS
        nested = {n for c in code.co_consts if isinstance(c, CodeType) for n in c.co_freevars}
        self.shared = tuple(name for name in (*code.co_cellvars, *code.co_freevars) if name in nested)
        self.stretches = Stretches(code, tree, self.loops, self.arguments, self.shared)
        self.starts = self.stretches.starts
        self.empty = frozenset[tuple[int, str]]() if tree is None else left_empty(tree)
        self._instructions = self.stretches.instructions
        self.leaves = frozenset(self._leaving())
        self.attributes = tuple(dict.fromkeys(self._all_attributes(tree)))
        self.unpacked = dict(self._unpacked())
        self.globals = frozenset(i.argval for i in self._instructions if i.opname == "STORE_GLOBAL")

    def _leaving(self) -> Iterator[int]:
        for instruction, following in zip_longest(self._instructions, self._instructions[1:]):
            if instruction.opname in LEAVES:
                yield instruction.offset
                if instruction.opname == "YIELD_VALUE" and following is not None:
                    yield following.offset  # where a suspended frame is, as some versions of Python see it

    def _all_attributes(self, tree: ast.AST | None) -> Iterator[str]:
        yield from filter(None, map(self.stretches.chain, self._instructions))
        if tree is not None:
            yield from changed_in_place(tree)

    def _unpacked(self) -> Iterator[tuple[str, int]]:
        for before, instruction in zip(self._instructions, self._instructions[1:], strict=False):
            if instruction.opname in ("UNPACK_SEQUENCE", "UNPACK_EX"):
                argument = before.argval
                yield argument[-1] if isinstance(argument, tuple) else str(argument), instruction.offset

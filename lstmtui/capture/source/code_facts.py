"""What is known of a code object before it runs: what each stretch of it binds, its loops, its attributes."""

from __future__ import annotations

import ast
import dis
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from types import CodeType, FrameType

from lstmtui.capture.source.assignments import assigned, changed_in_place, fills_of, left_empty
from lstmtui.capture.source.loops import Loops
from lstmtui.capture.source.statement_starts import further_starts
from lstmtui.capture.source.syntax_tree import tree_of
from lstmtui.models.torch_compat import PURE

_STORES = ("STORE_FAST", "STORE_DEREF", "STORE_NAME", "STORE_GLOBAL")
_PLACES = ("STORE_ATTR", "STORE_SUBSCR")
"""What binds an attribute, or an item of a dict or a list."""
_METHODS = ("LOAD_METHOD", "LOAD_ATTR")
_APPENDING = ("append", "appendleft")
_SUSPENDING = ("SEND", "YIELD_VALUE", "JUMP_BACKWARD_NO_INTERRUPT")
_LEAVES = ("RETURN_VALUE", "RETURN_CONST", "YIELD_VALUE", "RETURN_GENERATOR")
_DETACHING = {"detach", "detach_", "data"}
DETACHED = "detached"
_EFFECTS = ("STORE_ATTR", "STORE_S", "DELETE", "IMPORT", "BEFORE", "WITH", "PUSH_NULL")
"""What else may; functions in local names are called after PUSH_NULL."""
_HARMLESS = (PURE | {"nn", "functional", "append"}) - {"fill", "partition", "put", "resize", "sort"}
"""Attributes and methods that write into no tensor; numpy's arrays have some that do, and share memory."""
_COMPREHENSIONS = ("<listcomp>", "<setcomp>", "<dictcomp>")


@dataclass(frozen=True, slots=True)
class Stretch:
    """Instructions of one line that run one after another, from where a trace function is called."""

    line: int
    offset: int = -1
    """Of its first instruction."""
    names: tuple[str, ...] = ()
    """The names and attributes that it may bind."""
    sure: frozenset[str] = frozenset()
    """Those that it binds whenever it runs to its end."""
    loop: int = -1
    """The loop over something of which it takes the next item; −1: of none."""
    entered: frozenset[str] = frozenset()
    """The names that it binds where there was one."""
    left: frozenset[str] = frozenset()
    """The names that it binds behind that loop where there was none: y, of y = cat([f(v) for v in x])."""
    fills: tuple[tuple[str, frozenset[str]], ...] = ()
    """The tensors of which it writes one place in each pass of a loop, and the names that say which."""
    why: str = ""
    """Why what it computes has no derivative, where its words tell."""
    writes: bool = True
    """Whether it may write into a tensor, or change what names hold and how autograd works."""
    around: tuple[int, ...] = ()
    """The numbers of the loops that it is in, outermost first."""
    is_start: bool = False
    """Whether a pass of a loop begins with it."""


class CodeFacts:
    """Everything about one code object that a trace function asks while it runs.

    Attributes:
        loops: its loops.
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
        self._instructions = list(dis.get_instructions(code))
        self._index = {i.offset: at for at, i in enumerate(self._instructions)}
        self._lines = list(_lines_of(self._instructions))
        self._chains = {} if tree is None else dict(assigned(tree))
        self._fills = {} if tree is None else fills_of(tree)
        self.starts = frozenset[int]() if tree is None else further_starts(tree, self._instructions)
        self.empty = frozenset[tuple[int, str]]() if tree is None else left_empty(tree)
        self._stretches: dict[int, Stretch] = {}
        self.leaves = frozenset(self._leaving())
        nested = {n for c in code.co_consts if isinstance(c, CodeType) for n in c.co_freevars}
        self.shared = tuple(name for name in (*code.co_cellvars, *code.co_freevars) if name in nested)
        self.attributes = tuple(dict.fromkeys(self._all_attributes(tree)))
        self.unpacked = dict(self._unpacked())
        self.globals = frozenset(i.argval for i in self._instructions if i.opname == "STORE_GLOBAL")

    def _leaving(self) -> Iterator[int]:
        for instruction, following in zip_longest(self._instructions, self._instructions[1:]):
            if instruction.opname in _LEAVES:
                yield instruction.offset
                if instruction.opname == "YIELD_VALUE" and following is not None:
                    yield following.offset  # where a suspended frame is, as some versions of Python see it

    def stretch(self, offset: int) -> Stretch:
        """What runs from an instruction on, as far as no other line or statement begins."""
        stretch = self._stretches.get(offset)
        if stretch is None:
            stretch = self._stretches[offset] = self._stretch(self._landing(offset))
        return stretch

    def after(self, offset: int) -> int:
        """The offset of the instruction that follows one."""
        at = self._index.get(offset, len(self._instructions))
        return self._instructions[at + 1].offset if at + 1 < len(self._instructions) else offset

    def _landing(self, offset: int) -> int:
        """Where a jump back within its line goes, which some versions of Python report where it begins."""
        at = self._index.get(offset)
        if at is not None and self._instructions[at].opname == "JUMP_BACKWARD":
            to: int = self._instructions[at].argval
            if self._lines[self._index[to]] == self._lines[at]:
                return to
        return offset

    def _stretch(self, offset: int) -> Stretch:
        offset = self.loops.landings.get(offset, offset)
        at = self._index.get(offset)
        if at is None:
            return Stretch(0, offset)
        line, is_sure = self._lines[at], True
        sure: list[str] = []
        maybe: list[str] = []
        entered: list[str] = []
        left: list[str] = []
        loop = -1
        words = set()
        writes = False
        for here, instruction in enumerate(self._instructions[at:], start=at):
            if self._lines[here] != line or (here > at and instruction.offset in self.starts):
                break
            operation = instruction.opname
            into = sure if is_sure else maybe if loop < 0 else entered
            into.extend(self._bound_by(instruction))
            writes |= _may_write(instruction, self.code) or self._ends_with(here)
            if operation in _METHODS:
                words.add(str(instruction.argval))
            elif operation == "FOR_ITER" and is_sure:
                loop, is_sure = self.loops.started_by(instruction.offset), False
                left = [*self._bound_behind(instruction, line)]
            elif operation in ("FOR_ITER", *_SUSPENDING) or ("JUMP" in operation and "IF" in operation):
                loop, is_sure = -1, False
            elif "FORWARD" in operation:
                is_sure, loop = False, -1  # past the other branch of a conditional expression
            elif "JUMP" in operation or operation in _LEAVES:
                break
        names = tuple(dict.fromkeys((*sure, *entered, *maybe, *left, *self.shared)))
        around, is_start = self.loops.around.get(offset, ()), offset in self.loops.starts
        why = DETACHED if words & _DETACHING else ""
        fills = self._fills.get(line, ())
        return Stretch(
            line,
            offset,
            names,
            frozenset(sure),
            loop,
            frozenset(entered),
            frozenset(left) - {*sure, *entered, *maybe},
            fills,
            why,
            writes,
            around,
            is_start,
        )

    def _bound_behind(self, loop: dis.Instruction, line: int) -> Iterator[str]:
        """What its line binds behind a loop that ends within it, up to the next loop or branch."""
        at = self._index.get(loop.argval, len(self._instructions))
        for here, instruction in enumerate(self._instructions[at:], start=at):
            operation = instruction.opname
            if self._lines[here] != line or "JUMP" in operation or operation in ("FOR_ITER", *_LEAVES):
                return
            yield from self._bound_by(instruction)

    def _ends_with(self, at: int) -> bool:
        """Whether the block of a `with` ends with an instruction: what follows calls `__exit__` with it."""
        return all(i.opname == "LOAD_CONST" and i.argval is None for i in self._instructions[at : at + 3])

    def _bound_by(self, instruction: dis.Instruction) -> Iterator[str]:
        operation, argument = instruction.opname, instruction.argval
        if chain := self._chain(instruction):
            yield chain
        elif operation == "STORE_FAST_STORE_FAST":
            yield from argument
        elif operation == "STORE_FAST_LOAD_FAST":
            yield argument[0]
        elif operation.startswith(_STORES):
            yield argument

    def _chain(self, instruction: dis.Instruction) -> str:
        """An attribute or item that is bound as the source writes it; empty: none is, or one of no name."""
        operation, argument = instruction.opname, instruction.argval
        if operation not in _PLACES and not (operation in _METHODS and argument in _APPENDING):
            return ""
        p = instruction.positions
        key = (0, 0, 0) if p is None else (p.lineno or 0, p.col_offset or 0, p.end_col_offset or 0)
        if self._chains:
            return self._chains.get(key, "")
        first = self.arguments[0] if self.arguments else ""
        return f"{first}.{argument}" if first == "self" and operation == "STORE_ATTR" else ""

    def _all_attributes(self, tree: ast.AST | None) -> Iterator[str]:
        yield from filter(None, map(self._chain, self._instructions))
        if tree is not None:
            yield from changed_in_place(tree)

    def _unpacked(self) -> Iterator[tuple[str, int]]:
        for before, instruction in zip(self._instructions, self._instructions[1:], strict=False):
            if instruction.opname in ("UNPACK_SEQUENCE", "UNPACK_EX"):
                argument = before.argval
                yield argument[-1] if isinstance(argument, tuple) else str(argument), instruction.offset


def _may_write(instruction: dis.Instruction, code: CodeType) -> bool:
    """Whether an instruction may write into a tensor, or calls what may, or does anything else of effect."""
    operation, argument = instruction.opname, instruction.argval
    if operation in _METHODS:
        return argument not in _HARMLESS
    if operation in ("LOAD_GLOBAL", "LOAD_NAME"):
        return argument not in ("torch", "F", "range", "len", "int", "float", "zip", "enumerate")
    if operation == "KW_NAMES":
        return "out" in code.co_consts[instruction.arg or 0]
    if operation == "LOAD_CONST":
        return isinstance(argument, tuple) and "out" in argument
    if operation == "BINARY_OP":
        return instruction.argrepr.endswith("=")
    return operation.startswith(_EFFECTS)


def _lines_of(instructions: list[dis.Instruction]) -> Iterator[int]:
    """The line of each instruction; one without a line belongs to the one before it."""
    line = 0
    for instruction in instructions:
        positions = instruction.positions
        if positions is not None and positions.lineno is not None:
            line = positions.lineno
        yield line

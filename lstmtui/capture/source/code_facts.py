"""What is known of a code object before it runs: what each stretch of it binds, its loops, its attributes."""

from __future__ import annotations

import ast
import dis
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType, FrameType

from lstmtui.capture.source.loops import Loops, tree_of
from lstmtui.models.torch_compat import PURE

_STORES = ("STORE_FAST", "STORE_DEREF", "STORE_NAME")
_LEAVES = ("RETURN_VALUE", "RETURN_CONST", "YIELD_VALUE", "RETURN_GENERATOR")
_DETACHING = {"detach", "detach_", "data"}
DETACHED = "detached"
_COMPREHENSIONS = ("<listcomp>", "<setcomp>", "<dictcomp>")


@dataclass(frozen=True, slots=True)
class Stretch:
    """Instructions of one line that run one after another, from where a trace function is called."""

    line: int
    names: tuple[str, ...] = ()
    """The names and attributes that it may bind."""
    sure: frozenset[str] = frozenset()
    """Those that it binds whenever it runs to its end."""
    why: str = ""
    """Why what it computes has no derivative, where its words tell."""
    writes: bool = True
    """Whether it may write into a tensor."""
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
        attributes: those of objects in local names that it binds, as its source writes them: self.hidden.
        unpacked: the names that it unpacks itself, `h, c = hx`.
        stretches: those that were asked for, by offset.
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
        self._chains = {} if tree is None else dict(_chains(tree))
        self.stretches: dict[int, Stretch] = {}
        self.leaves = frozenset(i.offset for i in self._instructions if i.opname in _LEAVES)
        nested = {n for c in code.co_consts if isinstance(c, CodeType) for n in c.co_freevars}
        self.shared = tuple(name for name in (*code.co_cellvars, *code.co_freevars) if name in nested)
        self.attributes = tuple(dict.fromkeys(self._all_attributes(tree)))
        self.unpacked = frozenset(self._unpacked())

    def stretch(self, offset: int) -> Stretch:
        """What runs from an instruction on, as far as no other line begins."""
        stretch = self.stretches.get(offset)
        if stretch is None:
            stretch = self.stretches[offset] = self._stretch(offset)
        return stretch

    def _stretch(self, offset: int) -> Stretch:
        at = self._index.get(offset)
        if at is None:
            return Stretch(0)
        line, is_sure = self._lines[at], True
        sure: list[str] = []
        maybe: list[str] = []
        words = set()
        writes = False
        for instruction in self._instructions[at:]:
            if self._lines[self._index[instruction.offset]] != line:
                break
            operation = instruction.opname
            (sure if is_sure else maybe).extend(self._bound_by(instruction))
            writes |= _may_write(instruction)
            if operation in ("LOAD_METHOD", "LOAD_ATTR"):
                words.add(str(instruction.argval))
            elif operation in ("FOR_ITER", "SEND") or ("JUMP" in operation and "IF" in operation):
                is_sure = False
            elif "JUMP" in operation or operation in _LEAVES:
                break
        names = tuple(dict.fromkeys((*sure, *maybe, *self.shared)))
        around, is_start = self.loops.around.get(offset, ()), offset in self.loops.starts
        why = DETACHED if words & _DETACHING else ""
        return Stretch(line, names, frozenset(sure), why, writes, around, is_start)

    def _bound_by(self, instruction: dis.Instruction) -> Iterator[str]:
        operation, argument = instruction.opname, instruction.argval
        if operation == "STORE_ATTR":
            chain = self._chain(instruction)
            if chain:
                yield chain
        elif operation == "STORE_FAST_STORE_FAST":
            yield from argument
        elif operation == "STORE_FAST_LOAD_FAST":
            yield argument[0]
        elif operation.startswith(_STORES):
            yield argument

    def _chain(self, instruction: dis.Instruction) -> str:
        """An attribute that is bound as the source writes it; empty where the object is in no name."""
        p = instruction.positions
        key = (0, 0, 0) if p is None else (p.lineno or 0, p.col_offset or 0, p.end_col_offset or 0)
        if self._chains:
            return self._chains.get(key, "")
        first = self.arguments[0] if self.arguments else ""
        return f"{first}.{instruction.argval}" if first == "self" else ""

    def _all_attributes(self, tree: ast.AST | None) -> Iterator[str]:
        for instruction in self._instructions:
            if instruction.opname == "STORE_ATTR":
                chain = self._chain(instruction)
                if chain:
                    yield chain
        if tree is not None:
            yield from _changed_in_place(tree)

    def _unpacked(self) -> Iterator[str]:
        for before, instruction in zip(self._instructions, self._instructions[1:], strict=False):
            if instruction.opname in ("UNPACK_SEQUENCE", "UNPACK_EX"):
                argument = before.argval
                yield argument[-1] if isinstance(argument, tuple) else str(argument)


def _may_write(instruction: dis.Instruction) -> bool:
    """Whether an instruction may write into a tensor, or calls what may.

    A function that is in a local name is taken for one that does not: what it writes is seen a line later.
    """
    operation, argument = instruction.opname, instruction.argval
    if operation in ("LOAD_METHOD", "LOAD_ATTR"):
        return argument not in PURE and argument not in ("nn", "functional")
    if operation in ("LOAD_GLOBAL", "LOAD_NAME"):
        return argument not in ("torch", "F", "range", "len", "int", "float", "zip", "enumerate")
    if operation == "KW_NAMES" or operation == "LOAD_CONST":
        return isinstance(argument, tuple) and "out" in argument
    return operation == "STORE_SUBSCR" or (operation == "BINARY_OP" and instruction.argrepr.endswith("="))


def _lines_of(instructions: list[dis.Instruction]) -> Iterator[int]:
    """The line of each instruction; one without a line belongs to the one before it."""
    line = 0
    for instruction in instructions:
        positions = instruction.positions
        if positions is not None and positions.lineno is not None:
            line = positions.lineno
        yield line


def _chains(tree: ast.AST) -> Iterator[tuple[tuple[int, int, int], str]]:
    """Attributes that are assigned to, with their line and columns."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            chain = _written(node)
            if chain:
                # The instruction is placed at the whole of it, or at its last name.
                for start in (node.col_offset, (node.end_col_offset or 0) - len(node.attr)):
                    yield (node.end_lineno or node.lineno, start, node.end_col_offset or 0), chain
                yield (node.lineno, node.col_offset, node.end_col_offset or 0), chain


def _changed_in_place(tree: ast.AST) -> Iterator[str]:
    """Attributes of which an item is assigned, or a method called whose name says that it changes them."""
    for node in ast.walk(tree):
        base: ast.AST | None = None
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            base = node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            name = node.func.attr
            base = node.func.value if name.endswith("_") and not name.endswith("__") else None
        if isinstance(base, ast.Attribute) and (chain := _written(base)):
            yield chain


def _written(node: ast.AST) -> str:
    """self.cell.h as it is written; empty where it does not begin with a name."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(names)]) if isinstance(node, ast.Name) else ""

"""The stretches of a code object: instructions that run one after another, and what they bind and do."""

from __future__ import annotations

import ast
import dis
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from types import CodeType

from lstmtui.capture.source.code.assignments import Fills, assigned, fills_of
from lstmtui.capture.source.code.instructions import LEAVES, METHODS, lines_of, may_pass_over, may_write
from lstmtui.capture.source.code.loops import Loops
from lstmtui.capture.source.code.statement_starts import further_starts

DETACHED = "detached"
_STORES = ("STORE_FAST", "STORE_DEREF", "STORE_NAME", "STORE_GLOBAL")
_PLACES = ("STORE_ATTR", "STORE_SUBSCR")
"""What binds an attribute, or an item of a dict or a list."""
_APPENDING = ("append", "appendleft")
_DETACHING = {"detach", "detach_", "data"}


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
    fills: Fills = ()
    """The tensors of which it writes one place in each pass of a loop."""
    why: str = ""
    """Why what it computes has no derivative, where its words tell."""
    writes: bool = True
    """Whether it may write into a tensor, or change what names hold and how autograd works."""
    around: tuple[int, ...] = ()
    """The numbers of the loops that it is in, outermost first."""
    is_start: bool = False
    """Whether a pass of a loop begins with it."""


@dataclass
class _Bound:
    """The names that a stretch binds, instruction by instruction."""

    sure: list[str] = field(default_factory=list)
    entered: list[str] = field(default_factory=list)
    maybe: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    loop: int = -1
    """The loop whose next item was taken last; −1: of none."""
    is_sure: bool = True
    """Whether every instruction so far runs whenever the stretch does."""

    def bind(self, names: Iterable[str]) -> None:
        """The next instruction binds these names."""
        into = self.sure if self.is_sure else self.maybe if self.loop < 0 else self.entered
        into.extend(names)

    def enter(self, loop: int, left: Iterable[str]) -> None:
        """What follows runs where a loop has a further item; `left` is bound where it has none."""
        self.loop, self.is_sure, self.left = loop, False, [*left]

    def branch(self) -> None:
        """What follows may be passed over."""
        self.loop, self.is_sure = -1, False


class Stretches:
    """Reads what runs from an instruction on, as far as no other line or statement begins.

    Args:
        code: whose instructions are read.
        tree: of its source; None where that is not there.
        loops: of the code.
        arguments: the names of its parameters.
        shared: the local names that functions within it may bind too.

    Attributes:
        instructions: all of them.
        starts: the offsets at which a statement begins that is not the first on its line.
    """

    def __init__(
        self,
        code: CodeType,
        tree: ast.AST | None,
        loops: Loops,
        arguments: Sequence[str],
        shared: Sequence[str],
    ) -> None:
        self._code, self._loops, self._arguments, self._shared = code, loops, arguments, shared
        self.instructions = list(dis.get_instructions(code))
        self._index = {i.offset: at for at, i in enumerate(self.instructions)}
        self._lines = list(lines_of(self.instructions))
        self._chains = {} if tree is None else dict(assigned(tree))
        self._fills = {} if tree is None else fills_of(tree)
        self.starts = frozenset[int]() if tree is None else further_starts(tree, self.instructions)
        self._stretches: dict[int, Stretch] = {}

    def of(self, offset: int) -> Stretch:
        """The stretch that begins with an instruction."""
        stretch = self._stretches.get(offset)
        if stretch is None:
            stretch = self._stretches[offset] = self._read(self._landing(offset))
        return stretch

    def after(self, offset: int) -> int:
        """The offset of the instruction that follows one."""
        at = self._index.get(offset, len(self.instructions))
        return self.instructions[at + 1].offset if at + 1 < len(self.instructions) else offset

    def chain(self, instruction: dis.Instruction) -> str:
        """An attribute or item that is bound as the source writes it; empty: none is, or one of no name."""
        operation, argument = instruction.opname, instruction.argval
        if operation not in _PLACES and not (operation in METHODS and argument in _APPENDING):
            return ""
        p = instruction.positions
        key = (0, 0, 0) if p is None else (p.lineno or 0, p.col_offset or 0, p.end_col_offset or 0)
        if self._chains:
            return self._chains.get(key, "")
        first = self._arguments[0] if self._arguments else ""
        return f"{first}.{argument}" if first == "self" and operation == "STORE_ATTR" else ""

    def _landing(self, offset: int) -> int:
        """Where a jump back within its line goes, which some versions of Python report where it begins."""
        at = self._index.get(offset)
        if at is not None and self.instructions[at].opname == "JUMP_BACKWARD":
            to: int = self.instructions[at].argval
            if self._lines[self._index[to]] == self._lines[at]:
                return to
        return offset

    def _read(self, offset: int) -> Stretch:
        offset = self._loops.landings.get(offset, offset)
        at = self._index.get(offset)
        if at is None:
            return Stretch(0, offset)
        line, bound = self._lines[at], _Bound()
        words: set[str] = set()
        writes = False
        for here, instruction in enumerate(self.instructions[at:], start=at):
            if self._lines[here] != line or (here > at and instruction.offset in self.starts):
                break
            operation = instruction.opname
            bound.bind(self._bound_by(instruction))
            writes |= may_write(instruction, self._code) or self._ends_with(here)
            if operation in METHODS:
                words.add(str(instruction.argval))
            elif operation == "FOR_ITER" and bound.is_sure:
                bound.enter(self._loops.started_by(instruction.offset), self._bound_behind(instruction, line))
            elif may_pass_over(operation):
                bound.branch()
            elif "JUMP" in operation or operation in LEAVES:
                break
        inside = (*bound.sure, *bound.entered, *bound.maybe)
        return Stretch(
            line,
            offset,
            names=tuple(dict.fromkeys((*inside, *bound.left, *self._shared))),
            sure=frozenset(bound.sure),
            loop=bound.loop,
            entered=frozenset(bound.entered),
            left=frozenset(bound.left) - {*inside},
            fills=self._fills.get(line, ()),
            why=DETACHED if words & _DETACHING else "",
            writes=writes,
            around=self._loops.around.get(offset, ()),
            is_start=offset in self._loops.starts,
        )

    def _bound_behind(self, loop: dis.Instruction, line: int) -> Iterator[str]:
        """What its line binds behind a loop that ends within it, up to the next loop or branch."""
        at = self._index.get(loop.argval, len(self.instructions))
        for here, instruction in enumerate(self.instructions[at:], start=at):
            operation = instruction.opname
            if self._lines[here] != line or "JUMP" in operation or operation in ("FOR_ITER", *LEAVES):
                return
            yield from self._bound_by(instruction)

    def _ends_with(self, at: int) -> bool:
        """Whether the block of a `with` ends with an instruction: what follows calls `__exit__` with it."""
        return all(i.opname == "LOAD_CONST" and i.argval is None for i in self.instructions[at : at + 3])

    def _bound_by(self, instruction: dis.Instruction) -> Iterator[str]:
        operation, argument = instruction.opname, instruction.argval
        if chain := self.chain(instruction):
            yield chain
        elif operation == "STORE_FAST_STORE_FAST":
            yield from argument
        elif operation == "STORE_FAST_LOAD_FAST":
            yield argument[0]
        elif operation.startswith(_STORES):
            yield argument

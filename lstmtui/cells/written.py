"""A cell as text, so that a trace of it opens where the Python that defined it is not.

Each equation is written with the operator first, `(+ (@ p.W_f x) p.b_f)`: `p.` a parameter, `q.` a quantity
of this timestep, `s.` a state before it. What is read back is a cell like any other, on terms and on tensors.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from lstmtui.cells import functions
from lstmtui.cells.cell import Cell, Equations
from lstmtui.cells.parameters import Parameter, Size
from lstmtui.cells.terms import Term
from lstmtui.errors import UserError

LONGEST, DEEPEST = 2_000, 100
"""The operations of one equation, and how deep they may stand in each other."""
_LONGEST_TEXT = 200_000

_OPERATIONS: dict[str, tuple[int, Callable[..., Any]]] = {
    "+": (2, operator.add),
    "-": (2, operator.sub),
    "*": (2, operator.mul),
    "/": (2, operator.truediv),
    "@": (2, operator.matmul),
    "neg": (1, operator.neg),
    "sigmoid": (1, functions.sigmoid),
    "tanh": (1, functions.tanh),
    "relu": (1, functions.relu),
    "exp": (1, functions.exp),
    "log": (1, functions.log),
    "sqrt": (1, functions.sqrt),
    "abs": (1, abs),
    "softplus": (1, functions.softplus),
    "logsigmoid": (1, functions.logsigmoid),
    "max": (2, functions.maximum),
    "min": (2, functions.minimum),
    "clamp": (3, functions.clamp),
    "layer_norm": (1, functions.layer_norm),
}
"""How many operands each operation has, and what it is on terms and tensors."""


@dataclass(frozen=True)
class Definition:
    """The definition of a cell, without its Python."""

    summary: str
    rows: tuple[str, ...]
    states: tuple[str, ...]
    equations: tuple[tuple[str, str], ...]
    """Each quantity and the text of its equation, in order of evaluation."""
    own_parameters: tuple[Parameter, ...] = ()
    state_sizes: dict[str, Size] = field(default_factory=dict)
    initial: dict[str, float] = field(default_factory=dict)
    sizes: dict[str, Size] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash((self.rows, self.states, self.equations))


@lru_cache(maxsize=64)
def definition_of(cell: Cell) -> Definition:
    """A cell as it is written.

    Raises:
        UserError: one of its equations is too long, and how to make it shorter.
    """
    terms = cell.definitions(projected=cell.projects)
    return Definition(
        cell.summary,
        cell.rows,
        cell.states,
        tuple((name, _text(cell.name, name, term)) for name, term in terms.items()),
        cell.own_parameters,
        dict(cell.state_sizes),
        dict(cell.initial),
        dict(cell.sizes),
    )


@lru_cache(maxsize=64)
def cell_of(name: str, definition: Definition) -> Cell:
    """The cell that a definition is of.

    Raises:
        UserError: an equation cannot be read.
    """
    trees = tuple((quantity, _read(text)) for quantity, text in definition.equations)
    equations = _Equations(trees, definition)
    return Cell(
        name,
        equations,
        definition.rows,
        definition.states,
        definition.own_parameters,
        definition.state_sizes,
        definition.initial,
        definition.sizes,
        definition.summary,
    )


@dataclass(frozen=True)
class _Equations:
    """Equations that were read back: called like the generator they were written from."""

    trees: tuple[tuple[str, Any], ...]
    definition: Definition

    def __call__(self, p: Any, x: Any, *states: Any) -> Equations:
        old, new = dict(zip(self.definition.states, states, strict=True)), dict[str, Any]()
        for name, tree in self.trees:
            new[name] = yield name, _evaluated(tree, p, x, old, new)


def _evaluated(tree: Any, p: Any, x: Any, old: Mapping[str, Any], new: Mapping[str, Any]) -> Any:
    if isinstance(tree, float):
        return tree
    if isinstance(tree, str):
        kind, _, name = tree.partition(".")
        if kind == "x":
            return x
        return getattr(p, name) if kind == "p" else (old if kind == "s" else new)[name]
    kind, *parts = tree
    values = [_evaluated(part, p, x, old, new) for part in parts]
    return p.project(*values) if kind == "project" else _OPERATIONS[kind][1](*values)


def _text(cell: str, quantity: str, whole: Term) -> str:
    words = 0

    def written(term: Term, depth: int = 0) -> str:
        nonlocal words
        words += 1
        if words > LONGEST or depth > DEEPEST:
            raise UserError(
                f"{cell}: the equation of {quantity} has more than {LONGEST:,} operations, or more than "
                f"{DEEPEST} in each other; yield what it is made of as quantities of their own"
            )
        if term.kind == "number":
            return repr(float(term.value))
        if term.kind in ("symbol", "matrix"):
            if term.role == "parameter":
                return f"p.{term.text}"
            if term.role == "x":
                return "x"
            return f"{'s' if term.definition is None else 'q'}.{term.role}"
        if term.kind == "@" and term.parts[0].text == "W_hr":
            return f"(project {written(term.parts[1], depth + 1)})"
        return f"({term.kind} {' '.join(written(part, depth + 1) for part in term.parts)})"

    return written(whole)


def _read(text: str) -> Any:
    """An equation as nested tuples, the operator first.

    Raises:
        UserError: it is none.
    """
    if len(text) > _LONGEST_TEXT:
        raise UserError(f"an equation has more than {_LONGEST_TEXT:,} characters")
    words = iter(text.replace("(", " ( ").replace(")", " ) ").split())
    try:
        tree = _tree(next(words), words, 0)
        if next(words, None) is None:
            return tree
    except (StopIteration, ValueError):
        pass
    raise UserError(f"an equation cannot be read: {text[:80]!r}")


def _tree(word: str, words: Iterator[str], depth: int) -> Any:
    if word != "(":
        named = word == "x" or (word[:2] in ("p.", "q.", "s.") and word[2:].isidentifier())
        return word if named else float(word)
    kind, parts = next(words), list[Any]()
    if depth > DEEPEST:
        raise ValueError(kind)
    while (word := next(words)) != ")":
        parts.append(_tree(word, words, depth + 1))
    count = 1 if kind == "project" else _OPERATIONS.get(kind, (-1,))[0]
    if len(parts) != count:
        raise ValueError(kind)
    return (kind, *parts)

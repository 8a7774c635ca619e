"""The statement that a line of recorded code belongs to: its text, and the names that it reads.

Text from a trace is parsed, never run.
"""

from __future__ import annotations

import ast
import re
import textwrap
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from lstmtui.printable import printable
from lstmtui.python_parser import retried
from lstmtui.trace.source import Function, Source

LONGEST_TEXT = 1 << 20
"""Characters of a function that is parsed."""
SHOWN = 160
"""Characters of a statement that are shown."""
NO_TEXT = "the text of its code was not there when it was recorded"
_NAME = re.compile(r"(?:\bself\.)?[^\W\d]\w*")
_INFINITIES = {"inf", "Inf", "infty", "PINF", "NINF"}


@dataclass(frozen=True)
class Statement:
    """A statement, or the head of one that holds others."""

    text: str
    """On one line, safe to show; cut where it is long."""
    names: tuple[str, ...]
    """What it reads, as it writes it, in order: f, self.hidden."""


@lru_cache(maxsize=512)
def statement_at(function: Function, line: int) -> Statement:
    """The statement that a line is in; the line alone where the code cannot be parsed.

    Args:
        function: the code.
        line: of the file.
    """
    at, parsed = line - function.first_line, _parsed(function)
    around = [] if parsed is None else _around(parsed.tree, at + 1)
    if parsed is not None and around:
        return Statement(_shown(_text(around[-1], parsed.text)), tuple(dict.fromkeys(_read(around[-1]))))
    lines = function.text.split("\n")
    text = lines[at].strip() if 0 <= at < len(lines) else ""
    return Statement(_shown(text), tuple(dict.fromkeys(_NAME.findall(text.partition("=")[2] or text))))


def writes_infinity(source: Source) -> bool:
    """Whether the code names infinity, as what fills a mask with −inf does."""
    return any(_writes_infinity(function) for function in source.functions)


@lru_cache(maxsize=64)
def _writes_infinity(function: Function) -> bool:
    parsed = _parsed(function)
    return parsed is not None and any(_is_infinity(node) for node in ast.walk(parsed.tree))


def _is_infinity(node: ast.AST) -> bool:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name in _INFINITIES
        case ast.Constant(value=str(text)):
            return text.strip("+-").lower() in ("inf", "infinity")
        case ast.Constant(value=float(number)):
            return number == float("inf")
    return False


@dataclass(frozen=True)
class _Parsed:
    """A function that could be parsed."""

    tree: ast.Module
    """Its lines count from 1 at the first of the text."""
    text: str
    """Without the margin it has in its file."""


@lru_cache(maxsize=64)
def _parsed(function: Function) -> _Parsed | None:
    if len(function.text) > LONGEST_TEXT:
        return None
    text = textwrap.dedent(function.text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the user's own code
        try:
            return _Parsed(retried(lambda: ast.parse(text)), text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def _around(tree: ast.Module, line: int) -> list[ast.stmt]:
    """The statements that a line is in, outermost first."""
    around, inside = list[ast.stmt](), list(ast.iter_child_nodes(tree))
    while inside:
        node = inside.pop()
        if isinstance(node, ast.stmt):
            if not node.lineno <= line <= (node.end_lineno or node.lineno):
                continue
            around.append(node)
            inside = list(ast.iter_child_nodes(node))
        elif not isinstance(node, ast.expr):
            inside += ast.iter_child_nodes(node)  # the cases of a match, the handlers of a try
    return around


def _text(node: ast.stmt, text: str) -> str:
    """A statement on one line, without the statements inside it."""
    body = getattr(node, "body", None)
    if isinstance(body, list) and body and isinstance(body[0], ast.stmt):
        lines = text.split("\n")[node.lineno - 1 : max(node.lineno, body[0].lineno - 1)]
    else:
        lines = (ast.get_source_segment(text, node) or "").split("\n")
    return " ".join(line.strip() for line in lines).replace("( ", "(").replace(" )", ")")


def _read(node: ast.stmt) -> Iterator[str]:
    """The names that a statement reads, not those inside it, from left to right."""
    waiting: list[ast.AST] = [node]
    if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name | ast.Attribute):
        yield ast.unparse(node.target)
    while waiting:
        part = waiting.pop()
        match part:
            case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=context):
                yield from [f"self.{name}"] if isinstance(context, ast.Load) else []
                continue
            case ast.Subscript(slice=ast.Constant(value=str()), ctx=ast.Load()):
                yield ast.unparse(part)
            case ast.Name(id=name, ctx=ast.Load()):
                yield name
        children = [child for child in ast.iter_child_nodes(part) if not isinstance(child, ast.stmt)]
        waiting += reversed(children)


def _shown(text: str) -> str:
    text = printable(text)
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"

"""The source of a function as a syntax tree, with the line numbers of its file."""

from __future__ import annotations

import ast
import linecache
from functools import lru_cache
from types import CodeType
from typing import TypeAlias

from lstmtui.capture.source.code.source_files import is_readable
from lstmtui.python_parser import retried

MOST_LINES = 20_000
"""Of a function that is read."""
LONGEST_KEPT = 1 << 16
"""Characters of a function whose tree is kept, to be asked for again."""

Span: TypeAlias = tuple[tuple[int, int], tuple[int, int]]
"""(line, column) of the first character, and of the one after the last."""


def tree_of(code: CodeType, lines_of: dict[str, object] | None = None) -> ast.AST | None:
    """The function of a code object as a syntax tree, with the line numbers of its file; None without it."""
    if not is_readable(code.co_filename):
        return None
    try:
        lines = linecache.getlines(code.co_filename, lines_of)
        first, last = code.co_firstlineno, _last_line(code)
        if not 0 < first <= last <= len(lines) or last - first > MOST_LINES:
            return None
        text = "".join(lines[first - 1 : last])
        is_indented = text[:1].isspace()
        parsed = _parsed if len(text) <= LONGEST_KEPT else _parsed.__wrapped__
        return parsed("if 1:\n" + text if is_indented else text, first - 1 - is_indented, code.co_name)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OSError, TypeError):
        return None


@lru_cache(maxsize=32)
def _parsed(text: str, before: int, name: str) -> ast.AST | None:
    """The function of that name in a text that so many lines stand before; nobody changes the tree."""
    tree = retried(lambda: ast.parse(text))
    ast.increment_lineno(tree, before)
    if name == "<module>":
        return tree
    names = (ast.FunctionDef, ast.AsyncFunctionDef)
    return next((n for n in ast.walk(tree) if isinstance(n, names) and n.name == name), None)


def _last_line(code: CodeType) -> int:
    own = max((end for _, end, _, _ in code.co_positions() if end), default=0)
    return max([own, *(_last_line(c) for c in code.co_consts if isinstance(c, CodeType))])


def span_of(first: ast.AST, last: ast.AST) -> Span:
    """From the beginning of a node to the end of another."""
    start = (first.lineno, first.col_offset)  # type: ignore[attr-defined]
    return start, (last.end_lineno, last.end_col_offset)  # type: ignore[attr-defined]


def statements_of(tree: ast.AST) -> list[ast.AST]:
    """The statements of a function in order, outer ones first, without those of inner functions."""
    collected: list[ast.AST] = []
    nodes = list(ast.iter_child_nodes(tree))[::-1]
    while nodes:
        node = nodes.pop()
        collected.append(node)
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            nodes += list(ast.iter_child_nodes(node))[::-1]
    return collected


@lru_cache(maxsize=32)
def first_lines(code: CodeType) -> dict[int, int]:
    """The line on which a statement of a function begins, by its further lines; without what stands in it."""
    tree, first = tree_of(code), dict[int, int]()
    for node in () if tree is None else statements_of(tree):
        if isinstance(node, ast.stmt):
            inner: list[ast.stmt] = getattr(node, "body", [])
            end = inner[0].lineno - 1 if inner else node.end_lineno or node.lineno
            first |= dict.fromkeys(range(node.lineno + 1, end + 1), node.lineno)
    return first

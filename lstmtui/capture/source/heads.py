"""The lines that a function's loops begin on, and what of these lines is in the loops."""

from __future__ import annotations

import ast
from types import CodeType

from lstmtui.capture.source.loops import tree_of

_LOOPS = (ast.For, ast.AsyncFor, ast.While)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp)


def lines_of_tests(code: CodeType) -> dict[int, int]:
    """The further lines of the tests of while loops, with the lines of their headers."""
    tree = tree_of(code)
    loops = () if tree is None else (node for node in ast.walk(tree) if isinstance(node, ast.While))
    return {
        line: loop.lineno
        for loop in loops
        for line in range(loop.lineno + 1, min((loop.test.end_lineno or 0) + 1, loop.body[0].lineno))
    }


def names_in_comprehensions(code: CodeType) -> dict[int, frozenset[str]]:
    """By line: the names that comprehensions which begin there bind; what else it binds is outside."""
    tree = tree_of(code)
    nodes = [] if tree is None else list(ast.walk(tree))
    names: dict[int, frozenset[str]] = {}
    for node in nodes:
        if isinstance(node, _COMPREHENSIONS):
            bound = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
            names[node.lineno] = names.get(node.lineno, frozenset()) | bound
    headers = {node.lineno for node in nodes if isinstance(node, _LOOPS)}
    return {line: own for line, own in names.items() if line not in headers}

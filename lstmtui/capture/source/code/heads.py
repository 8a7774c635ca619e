"""The lines that a function's loops begin on, and what of these lines is in the loops."""

from __future__ import annotations

import ast
from functools import lru_cache
from types import CodeType

from lstmtui.capture.source.code.syntax_tree import tree_of

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


@lru_cache(maxsize=256)
def items_read_in_loops(code: CodeType) -> dict[tuple[int, str], frozenset[int]]:
    """The tensors of which a loop reads an item by its own counter, as x[t] or self.x[:, t].

    By the line of the loop's header and what is read as the source writes it: the axes of the counter.
    """
    tree = tree_of(code)
    read: dict[tuple[int, str], frozenset[int]] = {}
    for loop in () if tree is None else (node for node in ast.walk(tree) if isinstance(node, _LOOPS)):
        counters = _counters(loop)
        for part in loop.body:
            for node in ast.walk(part):
                if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
                    index = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
                    axes = {axis for axis, own in enumerate(index) if _names(own) & counters}
                    key = loop.lineno, ast.unparse(node.value)
                    if axes:
                        read[key] = read.get(key, frozenset()) | axes
    return read


def reads_counter(code: CodeType, line: int) -> bool:
    """Whether a loop reads in its body the number of the pass.

    Args:
        code: of the function.
        line: of the loop's header.
    """
    tree = tree_of(code)
    for loop in () if tree is None else (node for node in ast.walk(tree) if isinstance(node, _LOOPS)):
        if loop.lineno == line and (counters := _numbers(loop)):
            return any(_reads(part, counters) for part in loop.body)
    return False


def _numbers(loop: ast.For | ast.AsyncFor | ast.While) -> set[str]:
    """The names that have the number of the pass."""
    match loop:
        case ast.While():
            return _counters(loop)
        case ast.For(iter=ast.Call(func=ast.Name(id="range"))):
            return _names(loop.target)
        case ast.For(iter=ast.Call(func=ast.Name(id="enumerate")), target=ast.Tuple(elts=[first, *_])):
            return _names(first)
    return set()


def _reads(node: ast.AST, names: set[str]) -> bool:
    """Whether an expression reads one of these, other than to count on."""
    read = (part for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load))
    return any(part.id in names for part in read)


def _counters(loop: ast.For | ast.AsyncFor | ast.While) -> set[str]:
    """The names by which a loop counts: its target, or what a while loop adds to."""
    if isinstance(loop, (ast.For, ast.AsyncFor)):
        return _names(loop.target)
    counted = [node.target for node in ast.walk(loop) if isinstance(node, ast.AugAssign)]
    return {name for target in counted for name in _names(target)}


def _names(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}

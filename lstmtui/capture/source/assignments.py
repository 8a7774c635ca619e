"""What the source of a function assigns to, apart from its names: attributes, items, places in tensors."""

from __future__ import annotations

import ast
from collections.abc import Iterator

Fills = tuple[tuple[str, frozenset[str]], ...]


def assigned(tree: ast.AST) -> Iterator[tuple[tuple[int, int, int], str]]:
    """Attributes and items like state['h'] that are assigned to, with their line and columns."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store) and (chain := written(node)):
            yield (node.end_lineno or node.lineno, node.col_offset, node.end_col_offset or 0), chain
            yield (node.lineno, node.col_offset, node.end_col_offset or 0), chain
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            chain = written(node)
            if chain:
                # The instruction is placed at the whole of it, or at its last name.
                for start in (node.col_offset, (node.end_col_offset or 0) - len(node.attr)):
                    yield (node.end_lineno or node.lineno, start, node.end_col_offset or 0), chain
                yield (node.lineno, node.col_offset, node.end_col_offset or 0), chain


def changed_in_place(tree: ast.AST) -> Iterator[str]:
    """Attributes of which an item is assigned, or a method called whose name says that it changes them."""
    for node in ast.walk(tree):
        base: ast.AST | None = None
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            base = node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            name = node.func.attr
            base = node.func.value if name.endswith("_") and not name.endswith("__") else None
        if isinstance(base, ast.Attribute) and (chain := written(base)):
            yield chain


def fills_of(tree: ast.AST) -> dict[int, Fills]:
    """By line: tensors of which an outermost loop writes one place in each pass, and what says which."""
    fills: dict[int, list[tuple[str, frozenset[str]]]] = {}
    for loop in _outermost(tree):
        counters = {name for node in ast.walk(loop) for name in _counted_by(node, loop)}
        for node in ast.walk(loop):
            if not (isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store)):
                continue
            names = {part.id for part in ast.walk(node.slice) if isinstance(part, ast.Name)} & counters
            base = written(node.value)
            if names and base:
                for line in range(node.lineno, (node.end_lineno or node.lineno) + 1):
                    fills.setdefault(line, []).append((base, frozenset(names)))
    return {line: tuple(own) for line, own in fills.items()}


def _outermost(tree: ast.AST) -> Iterator[ast.For | ast.AsyncFor | ast.While]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.For, ast.AsyncFor, ast.While)):
            yield node
        elif not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            yield from _outermost(node)


def _counted_by(node: ast.AST, loop: ast.AST) -> Iterator[str]:
    """The names that change from pass to pass: a loop's own, or those that a while loop adds to."""
    adds = isinstance(loop, ast.While) and isinstance(node, ast.AugAssign)
    if adds or (node is loop and isinstance(node, (ast.For, ast.AsyncFor))):
        yield from (part.id for part in ast.walk(node.target) if isinstance(part, ast.Name))  # type: ignore[attr-defined]


def written(node: ast.AST) -> str:
    """self.cell.h or state['h'] as it is written; empty where it does not begin with a name."""
    places: list[str] = []
    while True:
        match node:
            case ast.Attribute(value=owner, attr=name):
                places.append(f".{name}")
            case ast.Subscript(value=owner, slice=ast.Constant(value=str(key))) if key.isidentifier():
                places.append(f"['{key}']")
            case _:
                break
        node = owner
    return "".join([node.id, *reversed(places)]) if isinstance(node, ast.Name) else ""

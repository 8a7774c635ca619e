"""What the source of a function assigns to, apart from its names: attributes, items, places in tensors."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from types import CodeType

from lstmtui.capture.source.code.syntax_tree import first_lines, tree_of

_EMPTY = ("empty", "new_empty", "empty_like", "empty_strided")
_OF_SIZES = ("Tensor", "FloatTensor", "DoubleTensor", "HalfTensor", "new")
"""What makes memory too where it is given sizes alone: torch.Tensor(batch, units)."""
_NAMED = (ast.Name, ast.Attribute, ast.Subscript)

Fills = tuple[tuple[str, frozenset[str], bool], ...]
"""The tensor as it is written, the names that say which place, and whether the loop reads it as well."""


def assigned(tree: ast.AST) -> Iterator[tuple[tuple[int, int, int], str]]:
    """Attributes and items like state['h'] or states[t] that are assigned to, with their line and columns.

    What is appended to a list is its last item then. An item that has a name already is not told again.
    """
    named = set[ast.AST]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, _NAMED):
            named.update(target for target in node.targets if _is_numbered(target))
        if node in named:
            continue
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and (place := appended(node)):
            func = node.func
            for start in (func.col_offset, (func.end_col_offset or 0) - len(func.attr)):
                yield (func.end_lineno or func.lineno, start, func.end_col_offset or 0), place
            yield (func.lineno, func.col_offset, func.end_col_offset or 0), place
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


def appended(node: ast.Call) -> str:
    """states[-1], of states.append(f(x)), as it is written; empty for other calls, and where x has a name."""
    func = node.func
    ends = {"append": "[-1]", "appendleft": "[0]"}
    if not isinstance(func, ast.Attribute) or func.attr not in ends or not node.args:
        return ""
    if isinstance(node.args[0], _NAMED):
        return ""
    owner = written(func.value)
    return owner + ends[func.attr] if owner else ""


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


def left_empty(tree: ast.AST) -> frozenset[tuple[int, str]]:
    """The lines and names bound to memory as it happens to be, torch.empty(…), or that get a part of it."""
    bound = {
        (target.lineno, name)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target, value in _pairs(node.targets, node.value)
        if isinstance(value, ast.Call) and _leaves_empty(value) and (name := written(target))
    }
    names = {name for _, name in bound}
    parts = (n for n in ast.walk(tree) if isinstance(n, ast.Subscript) and isinstance(n.ctx, ast.Store))
    return frozenset(bound | {(n.lineno, written(n.value)) for n in parts if written(n.value) in names})


def _leaves_empty(call: ast.Call) -> bool:
    made_by = getattr(call.func, "attr", getattr(call.func, "id", ""))
    return made_by in _EMPTY or (made_by in _OF_SIZES and len(call.args) > 1)


def _pairs(targets: list[ast.expr], value: ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Each target with what is bound to it, as far as the source has that one by one."""
    for target in targets:
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            yield from zip(target.elts, value.elts, strict=False)
        else:
            yield target, value


def reads_item(code: CodeType, name: str, lines: Collection[int]) -> bool:
    """Whether lines of a function read an item of a list again: the same place, or one that changes.

    Args:
        code: of the function.
        name: of the item as it is assigned to: states[-1], states[t], states[0].
        lines: of the file.
    """
    tree, first = tree_of(code), first_lines(code)
    lines = {first.get(line, line) for line in lines}
    base, _, place = name.rpartition("[")
    is_fixed = place[:-1].isdigit()
    for node in ast.walk(tree) if tree is not None else ():
        if not isinstance(node, ast.Subscript) or not isinstance(node.ctx, ast.Load):
            continue
        if first.get(node.lineno, node.lineno) in lines:
            is_same = written(node) == name if is_fixed else written(node.value) == base
            if is_same:
                return True
    return False


def fills_in(code: CodeType) -> dict[int, Fills]:
    """The same as `fills_of`, of a function; nothing where its source is not there."""
    tree = tree_of(code)
    return {} if tree is None else fills_of(tree)


def fills_of(tree: ast.AST) -> dict[int, Fills]:
    """By line: tensors of which an outermost loop writes one place in each pass, and what says which."""
    fills: dict[int, list[tuple[str, frozenset[str], bool]]] = {}
    for loop in _outermost(tree):
        counters = {name for node in ast.walk(loop) for name in _counted_by(node, loop)}
        read = {*_read_in(loop)}
        for node in ast.walk(loop):
            if not (isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store)):
                continue
            names = {part.id for part in ast.walk(node.slice) if isinstance(part, ast.Name)} & counters
            base = written(node.value)
            if names and base:
                for line in range(node.lineno, (node.end_lineno or node.lineno) + 1):
                    fills.setdefault(line, []).append((base, frozenset(names), base in read))
    return {line: tuple(own) for line, own in fills.items()}


def _read_in(loop: ast.AST) -> Iterator[str]:
    """The tensors that a loop reads, other than to write into places of them or to ask for their kind."""
    kinds = ("shape", "size", "dtype", "device", "dim", "ndim")
    not_read = {
        id(node.value)
        for node in ast.walk(loop)
        if (isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store))
        or (isinstance(node, ast.Attribute) and node.attr in kinds)
    }
    for node in ast.walk(loop):
        if isinstance(node, (ast.Name, ast.Attribute)) and id(node) not in not_read:
            yield written(node)


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
    """self.cell.h, state['h'] or states[t+1] as it is written; empty where it does not begin with a name."""
    places: list[str] = []
    while True:
        match node:
            case ast.Attribute(value=owner, attr=name):
                places.append(f".{name}")
            case ast.Subscript(value=owner, slice=ast.Constant(value=str(key))) if key.isidentifier():
                places.append(f"['{key}']")
            case ast.Subscript(value=owner, slice=at) if number := _number(at):
                places.append(f"[{number}]")
            case _:
                break
        node = owner
    return "".join([node.id, *reversed(places)]) if isinstance(node, ast.Name) else ""


def _is_numbered(node: ast.AST) -> bool:
    """Whether it is an item at a number, states[t]."""
    return isinstance(node, ast.Subscript) and bool(_number(node.slice))


def _number(node: ast.AST) -> str:
    """0, -1, t or t+1, as it is written; empty for anything else."""
    match node:
        case ast.Constant(value=int(number)) if not isinstance(number, bool):
            return str(number)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(number))):
            return str(-number)
        case ast.Name(id=name):
            return name
        case ast.BinOp(
            left=ast.Name(id=name), op=ast.Add() | ast.Sub() as op, right=ast.Constant(value=int(n))
        ):
            return f"{name}{'+' if isinstance(op, ast.Add) else '-'}{n}"
        case _:
            return ""

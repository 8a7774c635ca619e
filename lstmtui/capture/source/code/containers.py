"""Which containers a function puts its tensors into: tuples, lists, dicts, dataclasses."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from functools import lru_cache
from types import CodeType

from lstmtui.capture.source.code.syntax_tree import tree_of

_REMAKES = ("dict", "replace", "_replace")
"""What makes a dict, a dataclass or a named tuple, beside classes, which are written with a capital."""


@lru_cache(maxsize=32)
def kept_in(code: CodeType) -> dict[str, frozenset[str]]:
    """By the name of a local, the names of what it is put into: state = (h, c), State(h), states.append(h).

    What that is called further on, as in states = new, is among them.
    """
    tree, names = tree_of(code), dict[str, frozenset[str]]()
    pairs = [] if tree is None else [pair for node in ast.walk(tree) for pair in _put_into(node)]
    for _ in range(2):  # then what each of these is in turn put into
        for item, target in pairs:
            names[item] = names.get(item, frozenset()) | {target} | names.get(target, frozenset())
    return names


def _put_into(node: ast.AST) -> Iterator[tuple[str, str]]:
    """The names of tensors or containers with that of the container that a statement puts each into."""
    items: Sequence[ast.expr] = ()
    targets: Sequence[ast.expr] = ()
    match node:
        case ast.Assign(value=ast.Tuple(elts=items) | ast.List(elts=items) | ast.Dict(values=items)):
            targets = node.targets
        case ast.Assign(value=ast.Name() as other) if all(isinstance(t, ast.Name) for t in node.targets):
            items, targets = [other], node.targets
        case ast.Assign(value=ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) as call) if (
            name[0].isupper() or name in _REMAKES
        ):
            items, targets = [*call.args, *(own.value for own in call.keywords)], node.targets
        case ast.Call(func=ast.Attribute(value=ast.Name() as owner, attr="append"), args=items):
            targets = [owner]
    for item in items:
        for target in targets:
            if isinstance(item, ast.Name) and isinstance(target, ast.Name):
                yield item.id, target.id

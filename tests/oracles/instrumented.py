"""The user's code with `__keep__(…)` written behind every assignment: its names without a trace function."""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import Tensor

Change = Callable[[str, int, int, Tensor], Tensor]
"""(name, line, how often that had been bound there, what it is bound to) -> what it is to be."""


class Kept:
    """What names are bound to at each line, with gradients that autograd retains.

    Args:
        change: as if it were written into the code; None: there is none.
    """

    def __init__(self, change: Change | None = None) -> None:
        self.bound: dict[tuple[str, int], list[Tensor]] = defaultdict(list)
        self._change = change

    def keep(self, name: str, line: int, value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        bound = self.bound[name, line]
        if self._change is not None:
            value = self._change(name, line, len(bound), value)
        if value.requires_grad and not value.is_leaf:
            value.retain_grad()
        bound.append(value)
        return value


class _Written(ast.NodeTransformer):
    def _with(self, node: ast.stmt, *targets: ast.expr) -> list[ast.stmt]:
        statements = [node]
        for part in (part for target in targets for part in ast.walk(target)):
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
                text = f"{part.id} = __keep__({part.id!r}, {part.lineno}, {part.id})"
                statements += [ast.copy_location(own, node) for own in ast.parse(text).body]
        return statements

    def visit_Assign(self, node: ast.Assign) -> list[ast.stmt]:
        return self._with(node, *node.targets)

    def visit_AugAssign(self, node: ast.AugAssign) -> list[ast.stmt]:
        return self._with(node, node.target)


def instrumented(module: ModuleType, kept: Kept) -> ModuleType:
    """A copy of a module whose assignments tell what they bind."""
    tree = ast.fix_missing_locations(_Written().visit(ast.parse(Path(str(module.__file__)).read_text())))
    copy = ModuleType(f"{module.__name__}_kept")
    sys.modules[copy.__name__] = copy
    vars(copy)["__keep__"] = kept.keep
    exec(compile(tree, "<kept>", "exec"), vars(copy))
    return copy

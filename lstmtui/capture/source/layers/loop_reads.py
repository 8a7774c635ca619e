"""How the loop over time of a function reads tensors from before it: an item in each pass, or all of them."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from types import CodeType

from lstmtui.capture.source.code.assignments import written
from lstmtui.capture.source.code.heads import items_read_in_loops
from lstmtui.capture.source.code.syntax_tree import tree_of
from lstmtui.capture.source.input_axes import Shape
from lstmtui.capture.source.layers.series import Series
from lstmtui.capture.source.runs.run import Run

_ROUNDS = 8
"""In which it is looked for the loop that they are passes of."""
WHOLE = -1
"""In place of an axis: all of it is read at once."""
_ITERATES = ("enumerate", "zip")
"""What goes through its arguments, as a loop does."""
_FACTS = ("shape", "size", "dim", "ndim", "device", "dtype", "numel", "len")
"""What tells nothing of the numbers of a tensor."""
_MAKES = ("new_", "zeros_like", "ones_like", "empty_like", "full_like", "rand_like", "randn_like")
"""How the names begin of what makes another tensor of its kind."""


class LoopReads:
    """What the loop whose passes are the rounds of a run reads of the tensors from before it.

    Args:
        run: whose rounds may also be calls, or have no source: then nothing is known.
    """

    def __init__(self, run: Run) -> None:
        self._axes: dict[int, int] = {}
        """By the identity of a tensor, where that is known."""
        code, header = _loop_of(run)
        tree = None if code is None else tree_of(code)
        if code is None or tree is None:
            return
        first = next((own[0].order for own in run.rounds if own), -1)
        before = {b.name: b for b in run.outside if b.call.code is code and b.order < first}
        tensors = {b.name for own in run.rounds for b in own if b.call.code is code}
        items: dict[str, set[int]] = {}
        for (line, name), axes in items_read_in_loops(code).items():
            if line == header:
                items.setdefault(name, set()).update(axes)
        whole = set[str]()
        for node in ast.walk(tree):
            if isinstance(node, (ast.For, ast.AsyncFor, ast.While)) and node.lineno == header:
                for name in () if isinstance(node, ast.While) else _iterated(node.iter):
                    items.setdefault(name, set()).add(0)
                whole.update(_read_whole_in(node, tensors))
        for name, binding in before.items():
            if len(items.get(name, ())) == 1:
                self._axes[binding.identity] = next(iter(items[name]))
            elif name in whole and name not in items:
                self._axes[binding.identity] = WHOLE

    def axis_of(self, part: Series) -> int | None:
        """The axis along which each pass takes an item of a tensor; WHOLE; None where it is not known."""
        return self._axes.get(part.first.identity)


def _loop_of(run: Run) -> tuple[CodeType | None, int]:
    """The function of the loop whose passes are the rounds, and the line of its header; None without one."""
    starts = [number for _, rounds in run.stretches for number in range(rounds)]
    # What a head binds may be seen before the pass begins.
    few = [*enumerate(run.rounds)][:_ROUNDS] if run.passes else []
    heads = {line for _, own in few for b in own for line, _ in b.passes} | {0}
    headers: dict[CodeType, set[int]] = {}
    for n, own in few:
        for b in own:
            if b.line not in heads:
                lines = {line for line, at in b.passes if at == (starts[n] if starts else n)}
                headers[b.call.code] = headers.get(b.call.code, lines) & lines
    return next(((code, min(lines)) for code, lines in headers.items() if lines), (None, 0))


def _read_whole_in(loop: ast.For | ast.AsyncFor | ast.While, tensors: Collection[str]) -> Iterator[str]:
    stored = (n for n in ast.walk(loop) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
    counters = {name.id for name in stored} - {*tensors}
    for part in (*loop.body, *([loop.test] if isinstance(loop, ast.While) else [])):
        yield from _read_whole(part, counters)


def as_long(axis: int, shape: Shape, steps: int) -> int | None:
    """An axis, where there is one and it is as long as the run."""
    return axis if 0 <= axis < len(shape) and shape[axis] == steps else None


def _iterated(node: ast.expr) -> Iterator[str]:
    """The tensors whose items a loop goes through."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _ITERATES:
        for argument in node.args:
            yield from _iterated(argument)
    elif name := written(node):
        yield name


def _read_whole(node: ast.AST, counters: Collection[str]) -> Iterator[str]:
    """The names of which a statement reads all: not an item, nor what only tells of their kind."""
    match node:
        case ast.Subscript(slice=at) if any(isinstance(n, ast.Name) for n in ast.walk(at)):
            yield from _read_whole(at, counters)
        case ast.Attribute(attr=name) | ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if (
            name in _FACTS or name.startswith(_MAKES)
        ):
            return
        case ast.Call(func=func, args=arguments) if any(_is_counted(own, counters) for own in arguments):
            # An item may be taken by any function: x.select(0, t).
            owner = func.value if isinstance(func, ast.Attribute) else func
            for own in (owner, *arguments):
                yield from [] if written(own) else _read_whole(own, counters)
        case ast.Name(ctx=ast.Load()) | ast.Attribute(ctx=ast.Load()) if name := written(node):
            yield name
            if isinstance(node, ast.Attribute):
                yield from _read_whole(node.value, counters)
        case _:
            for child in ast.iter_child_nodes(node):
                yield from _read_whole(child, counters)


def _is_counted(node: ast.AST, counters: Collection[str]) -> bool:
    is_arithmetic = isinstance(node, (ast.Name, ast.BinOp, ast.UnaryOp))
    return is_arithmetic and any(isinstance(n, ast.Name) and n.id in counters for n in ast.walk(node))

"""How values are written where there is no panel: on the prompt, in logs, for screen readers."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import numpy as np

from lstmtui.arrays import Array
from lstmtui.cells.notation import plain
from lstmtui.expressions import Expression, Scope
from lstmtui.python_parser import retried
from lstmtui.wording import counted

MOST_UNITS = 8
"""Vectors of more units are cut and summed up."""
ARITHMETIC_DIGITS = 4
"""Of a number in worked-out arithmetic."""
MOST_OPERANDS = 6
"""So many values of a condition that did not hold are shown."""


def value_text(value: float | bool | Array) -> str:
    """A value in six digits: "0.125", "true", or "[0.1, 0.2]"."""
    if not isinstance(value, np.ndarray):
        return _scalar(value)
    listed = ", ".join(_scalar(v) for v in value[:MOST_UNITS].tolist())
    if len(value) <= MOST_UNITS:
        return f"[{listed}]"
    return f"[{listed}, …] ({_summary(value)})"


def operands_text(condition: Expression, scope: Scope, t: int) -> str:
    """What is compared in a condition, each with its value at t: "norm(c) = 1.2, norm(prev(c)) = 1.1"."""
    shown: dict[str, str] = {}
    for text in _operands(condition.text.strip()):
        if len(shown) < MOST_OPERANDS:
            shown.setdefault(text, value_text(Expression(text, condition.vocabulary).evaluate(scope, t)))
    return ", ".join(f"{text} = {value}" for text, value in shown.items())


def arithmetic_text(expression: Expression, scope: Scope, t: int) -> str:
    """An expression, the same with the value of every quantity, and its value: "f[0]*2 = 0.5*2 = 1"."""
    text = expression.text.strip()
    numbers, last = "", 0
    for node in _quantities(retried(lambda: ast.parse(text, mode="eval")).body):
        start, stop = _span(text, node)
        value = Expression(text[start:stop], expression.vocabulary).evaluate(scope, t)
        numbers += text[last:start] + (plain(float(value), ARITHMETIC_DIGITS) if np.ndim(value) == 0 else "…")
        last = stop
    numbers += text[last:]
    value = expression.evaluate(scope, t)
    result = value_text(value) if isinstance(value, np.ndarray) else plain(float(value), ARITHMETIC_DIGITS)
    return " = ".join(dict.fromkeys((text, numbers, result)))


def _quantities(node: ast.expr) -> Iterator[ast.expr]:
    """The parts of an expression that read the run and are joined by arithmetic, from left to right."""
    match node:
        case ast.BinOp():
            yield from _quantities(node.left)
            yield from _quantities(node.right)
        case ast.UnaryOp():
            yield from _quantities(node.operand)
        case _ if any(isinstance(part, ast.Name) for part in ast.walk(node)):
            yield node


def _span(text: str, node: ast.expr) -> tuple[int, int]:
    """The characters that a part of a one-line expression stands in; Python counts bytes."""
    line = text.encode()
    end = len(line) if node.end_col_offset is None else node.end_col_offset
    return len(line[: node.col_offset].decode()), len(line[:end].decode())


def _operands(text: str) -> Iterator[str]:
    """The sides of the comparisons that `and`, `or` and `not` join; constants need no showing."""
    waiting: list[ast.expr] = [retried(lambda: ast.parse(text, mode="eval")).body]
    while waiting:
        node = waiting.pop(0)
        match node:
            case ast.BoolOp():
                waiting[:0] = node.values
            case ast.UnaryOp(op=ast.Not()):
                waiting.insert(0, node.operand)
            case ast.Compare():
                waiting[:0] = [node.left, *node.comparators]
            case _ if any(isinstance(part, ast.Name) for part in ast.walk(node)):
                yield ast.get_source_segment(text, node) or text


def _scalar(value: float | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return plain(value)


def _summary(value: Array) -> str:
    units = counted(len(value), "unit")
    if value.dtype == np.bool_:
        return f"{units}, {int(value.sum())} true"
    finite = value[np.isfinite(value)]
    others = len(value) - len(finite)
    reach = f", {_scalar(float(finite.min()))} to {_scalar(float(finite.max()))}" if finite.size else ""
    return f"{units}{reach}" + (f", {others} not finite" if others else "")

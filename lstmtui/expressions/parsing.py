"""From the text of an expression to its nodes, by way of Python's parser."""

from __future__ import annotations

import ast

from lstmtui.expressions.error import ExpressionError
from lstmtui.expressions.nodes import (
    Base,
    Comparison,
    Elementwise,
    Node,
    Number,
    ParameterNumbers,
    Previous,
    Quantity,
    Reduction,
    RunScalar,
    Unit,
    is_vector,
)
from lstmtui.expressions.screening import screen
from lstmtui.expressions.vocabulary import Vocabulary
from lstmtui.python_parser import retried
from lstmtui.words import ELEMENTWISE, FUNCTIONS, REDUCTIONS, SCALARS

MOST_NODES = 500
DEEPEST = 100

_OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
    ast.USub: "negative",
    ast.UAdd: "positive",
    ast.Not: "not",
    ast.And: "and",
    ast.Or: "or",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}


def parse(text: str, vocabulary: Vocabulary) -> Node:
    """The nodes of an expression.

    Args:
        text: anything at all.
        vocabulary: the words it may use.

    Raises:
        ExpressionError: the text is not an expression of the language, or is too large.
    """
    screen(text, vocabulary)
    indent = len(text) - len(text.lstrip(" \t"))
    try:
        tree = retried(lambda: ast.parse(text[indent:], mode="eval"))
    except SyntaxError as error:
        # What the screening lets through and Python does not: `1 + not 2`, `007`.
        column = indent + max(0, (error.offset or 1) - 1)
        raise ExpressionError("this is not an expression", min(column, len(text))) from None
    except (ValueError, RecursionError, MemoryError):
        raise ExpressionError("the expression is too large") from None
    return _Conversion(text, indent, vocabulary).node(tree.body)


class _Conversion:
    """One walk from Python's syntax tree to nodes; what is not listed here is refused."""

    def __init__(self, text: str, indent: int, vocabulary: Vocabulary) -> None:
        self._text, self._indent, self._vocabulary = text, indent, vocabulary
        self._bytes = text[indent:].encode()
        self._count = self._depth = 0

    def node(self, tree: ast.expr) -> Node:
        """The node of a tree and of everything below it."""
        self._count += 1
        self._depth += 1
        if self._count > MOST_NODES or self._depth > DEEPEST:
            raise ExpressionError("the expression is too large", self._start(tree))
        node = self._converted(tree)
        self._depth -= 1
        return node

    def _converted(self, tree: ast.expr) -> Node:
        match tree:
            case ast.Constant(value=int() | float() as value):
                return Number(*self._span(tree), _number(value))
            case ast.Name():
                return self._word(tree)
            case ast.UnaryOp() if type(tree.op) in _OPERATORS:
                return self._elementwise(tree, tree.op, [tree.operand])
            case ast.BinOp() if type(tree.op) in _OPERATORS:
                return self._elementwise(tree, tree.op, [tree.left, tree.right])
            case ast.BoolOp():
                return self._elementwise(tree, tree.op, tree.values)
            case ast.Compare() if all(type(op) in _OPERATORS for op in tree.ops):
                operands = tuple(self.node(operand) for operand in (tree.left, *tree.comparators))
                return Comparison(*self._span(tree), tuple(_OPERATORS[type(op)] for op in tree.ops), operands)
            case ast.Subscript():
                return self._unit(tree)
            case ast.Call():
                return self._call(tree)
            case _:
                raise self._refusal("this is not part of the language", tree)

    def _elementwise(self, tree: ast.expr, operator: ast.AST, operands: list[ast.expr]) -> Node:
        name = _OPERATORS[type(operator)]
        return Elementwise(*self._span(tree), name, tuple(self.node(operand) for operand in operands))

    def _word(self, tree: ast.Name) -> Node:
        if tree.id in SCALARS:
            return RunScalar(*self._span(tree), tree.id)
        if self._vocabulary.has_quantity(tree.id):
            return Quantity(*self._span(tree), tree.id)
        if (axes := self._vocabulary.axes(tree.id)) is not None:
            return ParameterNumbers(*self._span(tree), tree.id, axes)
        if tree.id in FUNCTIONS:
            raise self._refusal(f"{tree.id} is a function", tree, f"{tree.id}(…)")
        raise self._refusal(f"{tree.id[:40]} is neither a quantity nor a function", tree)

    def _unit(self, tree: ast.Subscript) -> Node:
        operand = self.node(tree.value)
        if not is_vector(operand):
            raise self._refusal(f"{self._source(tree.value)} is one value; it has no units", tree.slice)
        numbers = tree.slice.elts if isinstance(tree.slice, ast.Tuple) and tree.slice.elts else [tree.slice]
        indices = tuple(self._index(number) for number in numbers)
        columns = tuple(self._start(number) for number in numbers)
        if isinstance(operand, ParameterNumbers):
            indices, columns = operand.indices + indices, operand.columns + columns
            if len(indices) > operand.axes:
                many = "one axis" if operand.axes == 1 else f"{operand.axes} axes"
                raise self._refusal(f"{operand.name} has {many}, not {len(indices)}", tree.slice)
            return ParameterNumbers(*self._span(tree), operand.name, operand.axes, indices, columns)
        return Unit(*self._span(tree), operand, indices, columns)

    def _index(self, tree: ast.expr) -> int:
        match tree:
            case ast.Constant(value=int(index)):
                return index
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(index))):
                return -index
            case _:
                raise self._refusal("a unit is a whole number, as in c[3]", tree)

    def _call(self, tree: ast.Call) -> Node:
        if not isinstance(tree.func, ast.Name) or tree.func.id not in FUNCTIONS:
            name = self._source(tree.func)
            is_quantity = isinstance(tree.func, ast.Name) and self._vocabulary.has_quantity(tree.func.id)
            raise self._refusal(f"{name} is not a function", tree.func, f"{name}[3]" if is_quantity else "")
        name = tree.func.id
        if tree.keywords or not tree.args:
            raise self._refusal(f"{name} needs an argument", tree.func, f"{name}(…)")
        span, operands = self._span(tree), tuple(self.node(argument) for argument in tree.args)
        if name in ("min", "max") and len(operands) > 1:
            return Elementwise(*span, name, operands)
        if len(operands) > 1:
            raise self._refusal(f"{name} takes one argument", tree.args[1])
        if name in REDUCTIONS:
            return Reduction(*span, name, operands[0])
        if name in ELEMENTWISE:
            return Elementwise(*span, name, operands)
        return Previous(*span, operands[0]) if name == "prev" else Base(*span, operands[0])

    def _start(self, tree: ast.expr) -> int:
        return self._column(tree.col_offset)

    def _span(self, tree: ast.expr) -> tuple[int, int]:
        return self._start(tree), self._column(tree.end_col_offset or tree.col_offset)

    def _column(self, offset: int) -> int:
        """The column of one of Python's offsets, which count bytes."""
        return self._indent + len(self._bytes[:offset].decode())

    def _source(self, tree: ast.expr) -> str:
        start, stop = self._span(tree)
        source = self._text[start:stop]
        return source if len(source) <= 40 else source[:39] + "…"

    def _refusal(self, wrong: str, tree: ast.expr, suggestion: str = "") -> ExpressionError:
        return ExpressionError(wrong, self._start(tree), suggestion)


def _number(value: int | float) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf")

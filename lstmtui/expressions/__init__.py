"""Expressions over the quantities of a timestep: for breakpoints, watches, `print` and `expect`."""

from lstmtui.expressions.error import ExpressionError
from lstmtui.expressions.expression import Expression, compile_expression
from lstmtui.expressions.scope import Scope, scope_of
from lstmtui.expressions.vocabulary import FUNCTIONS, SCALARS, quantity_names

__all__ = [
    "FUNCTIONS",
    "SCALARS",
    "Expression",
    "ExpressionError",
    "Scope",
    "compile_expression",
    "quantity_names",
    "scope_of",
]

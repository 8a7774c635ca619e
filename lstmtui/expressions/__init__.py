"""Expressions over the quantities of a timestep: for breakpoints, watches, `print` and `expect`."""

from lstmtui.expressions.error import ExpressionError
from lstmtui.expressions.expression import Expression
from lstmtui.expressions.scope import Scope, scope_of
from lstmtui.expressions.vocabulary import (
    Vocabulary,
    cell_vocabulary,
    open_vocabulary,
    quantity_names,
    vocabulary_of,
)
from lstmtui.words import FUNCTIONS, SCALARS

__all__ = [
    "FUNCTIONS",
    "SCALARS",
    "Expression",
    "ExpressionError",
    "Scope",
    "Vocabulary",
    "cell_vocabulary",
    "open_vocabulary",
    "quantity_names",
    "scope_of",
    "vocabulary_of",
]

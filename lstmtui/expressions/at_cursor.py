"""The values of expressions at the cursor: for watches, `print` and `expect`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from msgspec import Struct

from lstmtui.arrays import Array
from lstmtui.errors import UserError
from lstmtui.expressions import Expression, Scope, scope_of
from lstmtui.expressions.text import arithmetic_text, operands_text
from lstmtui.view.query import query
from lstmtui.view.view import View
from lstmtui.wording import listed


class ScalarValue(Struct, frozen=True, tag="scalar"):
    """One value."""

    value: float | bool
    unbound: tuple[str, ...] = ()
    """The names that it reads and the code has not bound here; they are 0."""


class VectorValue(Struct, frozen=True, eq=False, tag="vector"):
    """A value for each unit."""

    value: Array
    """(units,)"""
    unbound: tuple[str, ...] = ()


class NoValue(Struct, frozen=True, tag="no value"):
    """An expression has no meaning at this place."""

    error: str
    """Why."""


Evaluated = ScalarValue | VectorValue | NoValue
"""The value of an expression."""


@dataclass(frozen=True)
class Expectation:
    """Whether a condition holds."""

    held: bool
    operands: str
    """What is compared in it, each with its value."""
    error: str = ""
    """Why it means nothing here; empty where it does."""


@dataclass(frozen=True)
class WorkedOut:
    """The one value of an expression, and how it was computed."""

    value: float
    arithmetic: str
    """The expression, the same in numbers, and the value: "f[0]*prev(c[0]) = 0.5*2 = 1"."""
    error: str = ""
    """Why it means nothing here; empty where it does."""


@query("t")
def worked_out(view: View, expression: Expression) -> WorkedOut:
    """The value of an expression that has one, not one for each unit, with its arithmetic at the cursor."""
    scope, t = scope_of(view), view.cursor.t
    try:
        value = expression.evaluate(scope, t)
        if isinstance(value, np.ndarray):
            return WorkedOut(0.0, "", "this is a value for each unit")
        return WorkedOut(float(value), arithmetic_text(expression, scope, t))
    except UserError as error:
        return WorkedOut(0.0, "", str(error))


@query("t")
def evaluated(
    view: View, expressions: tuple[Expression, ...], most: int | None = None
) -> tuple[Evaluated, ...]:
    """The value of each expression at the cursor.

    Args:
        view: whose cursor says where.
        expressions: any.
        most: of a longer vector only so many units are given, the first ones.
    """
    scope, t = scope_of(view), view.cursor.t
    return tuple(_evaluated(expression, scope, t, most) for expression in expressions)


@query("t")
def expectation(view: View, condition: Expression) -> Expectation:
    """Whether a condition holds at the cursor, and the numbers it compares."""
    scope, t = scope_of(view), view.cursor.t
    try:
        held = condition.condition(scope, t)
        if unbound := condition.unbound(scope, t):
            return Expectation(False, unbound_text(unbound))
        return Expectation(held, operands_text(condition, scope, t))
    except UserError as error:
        return Expectation(False, "", str(error))


def _evaluated(expression: Expression, scope: Scope, t: int, most: int | None) -> Evaluated:
    try:
        value = expression.evaluate(scope, t)
    except UserError as error:
        return NoValue(str(error))
    unbound = expression.unbound(scope, t)
    if isinstance(value, np.ndarray):
        return VectorValue(value[:most], unbound)
    return ScalarValue(value, unbound)


def unbound_text(names: Sequence[str]) -> str:
    """ "z and odd are not bound here"."""
    return f"{listed(names)} {'is' if len(names) == 1 else 'are'} not bound here"

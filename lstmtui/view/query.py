"""Queries: functions of a `View` that read arrays, and are answered on the machine that has them.

In a view whose arrays are in this process a query is an ordinary function; with a `RemoteBackend` the
question travels to the other machine, and the answer comes back.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import numpy as np

from lstmtui.view.view import NotReady, Query, View

P = ParamSpec("P")
R = TypeVar("R")

PLACE = ("layer", "direction", "batch")
"""The fields of the cursor that every query depends on."""

QUERIES: dict[str, Query] = {}
"""By name, all of those whose modules are imported; `session.queries` imports them all."""


def query(
    *depends: str, picture: bool = False
) -> Callable[[Callable[Concatenate[View, P], R]], Callable[Concatenate[View, P], R]]:
    """Make a function of a view a query.

    Its arguments and its answer are numbers, texts, arrays, expressions, traces of the session, ranges, and
    tuples and frozen dataclasses of them, as its annotations say. NaN and inf are answers like any other, of
    which numpy does not warn.

    Args:
        depends: fields of the cursor that the answer depends on, besides those of `PLACE`: t, unit, stage.
        picture: whether the numbers in the answer are only drawn.
    """

    def decorate(function: Callable[Concatenate[View, P], R]) -> Callable[Concatenate[View, P], R]:
        @wraps(function)
        def answer(view: View, *args: P.args, **kwargs: P.kwargs) -> R:
            with np.errstate(all="ignore"):
                return function(view, *args, **kwargs)

        described = Query(function.__name__, answer, frozenset((*PLACE, *depends)), picture)
        if QUERIES.setdefault(described.name, described) is not described:
            raise ValueError(f"{described.name}: there are two queries of this name")
        signature = inspect.signature(function)

        @wraps(function)
        def ask(view: View, *args: P.args, **kwargs: P.kwargs) -> R:
            if view.backend is None:
                return answer(view, *args, **kwargs)
            bound = signature.bind(view, *args, **kwargs)
            bound.apply_defaults()
            arguments = {name: bound.arguments[name] for name in list(bound.arguments)[1:]}
            far: R = view.backend.answer(view, described, arguments)
            return far

        return cast("Callable[Concatenate[View, P], R]", ask)

    return decorate


def together(*questions: Callable[[], Any]) -> tuple[Any, ...]:
    """The answers to some questions, all of which are asked before one is waited for.

    Raises:
        NotReady: at least one of the answers has not arrived.
        UserError: what the first question that raised it did.
    """
    answers, not_ready = [], None
    for question in questions:
        try:
            answers.append(question())
        except NotReady as error:
            not_ready = error
    if not_ready is not None:
        raise not_ready
    return tuple(answers)

"""Readings: what a session takes from its arrays, each so small that it may be answered where the arrays are.

Every function of a session that reads arrays is one. On a session whose arrays are in this process it is an
ordinary function; on one whose arrays are elsewhere the question travels there, and the answer comes back.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar, cast

if TYPE_CHECKING:
    from lstmtui.session.session import Session

P = ParamSpec("P")
R = TypeVar("R")

PLACE = ("model", "layer", "direction", "batch")
"""The fields of the cursor that every reading depends on."""


class Absent(Exception):
    """The answer is not here yet, and nobody may wait for it here: ask again when it has come."""


class Elsewhere(Protocol):
    """Where the arrays of a session are, if they are not in this process."""

    def answer(self, session: Session, reading: Reading, arguments: Mapping[str, Any]) -> Any:
        """What the reading gives there.

        Raises:
            Absent: the answer has been asked for, and this thread may not wait for it.
            UserError: what the reading raised, or why there can be no answer.
        """


@dataclass(frozen=True)
class Reading:
    """A function that reads the arrays of a session."""

    name: str
    function: Callable[..., Any]
    """The function itself, which reads arrays of this process."""
    depends: frozenset[str]
    """The fields of the cursor that make a difference to the answer."""
    picture: bool
    """Whether the numbers in the answer are only drawn, never written out: they may travel rounded."""


READINGS: dict[str, Reading] = {}
"""By name, all of those whose modules are imported."""


def reading(
    *depends: str, picture: bool = False
) -> Callable[[Callable[Concatenate[Session, P], R]], Callable[Concatenate[Session, P], R]]:
    """Make a function of a session a reading.

    Its arguments and its answer are numbers, texts, arrays, expressions, traces of the session, ranges, and
    tuples and frozen dataclasses of them, as its annotations say.

    Args:
        depends: fields of the cursor that the answer depends on, besides those of `PLACE`: t, unit, stage.
        picture: whether the numbers in the answer are only drawn.
    """

    def made(function: Callable[Concatenate[Session, P], R]) -> Callable[Concatenate[Session, P], R]:
        known = Reading(function.__name__, function, frozenset((*PLACE, *depends)), picture)
        READINGS[known.name] = known
        signature = inspect.signature(function)

        @wraps(function)
        def answered(session: Session, *args: P.args, **kwargs: P.kwargs) -> R:
            if session.elsewhere is None:
                return function(session, *args, **kwargs)
            bound = signature.bind(session, *args, **kwargs)
            bound.apply_defaults()
            arguments = {name: bound.arguments[name] for name in list(bound.arguments)[1:]}
            answer: R = session.elsewhere.answer(session, known, arguments)
            return answer

        return cast("Callable[Concatenate[Session, P], R]", answered)

    return made

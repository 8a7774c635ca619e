"""Readings: what a session takes from its arrays, each so small that it may be answered where the arrays are.

Every function of a session that reads arrays is one. On a session whose arrays are in this process it is an
ordinary function; on one whose arrays are elsewhere the question travels there, and the answer comes back.
"""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, wraps
from importlib import import_module
from typing import (
    TYPE_CHECKING,
    Any,
    BinaryIO,
    Concatenate,
    ParamSpec,
    Protocol,
    TypeVar,
    cast,
    get_type_hints,
)

if TYPE_CHECKING:
    from lstmtui.session.session import Session
    from lstmtui.trace import Trace

P = ParamSpec("P")
R = TypeVar("R")

PLACE = ("model", "layer", "direction", "batch")
"""The fields of the cursor that every reading depends on."""


class Absent(Exception):
    """The answer is not here yet, and nobody may wait for it here: ask again when it has come."""


class Elsewhere(Protocol):
    """Where the arrays of a session are, if they are not in this process."""

    on_news: Callable[[], None] | None
    """Called from any thread when an answer has come, or `trouble` is another."""

    @property
    def trouble(self) -> str:
        """What is wrong with the way there, in words that fit a header; empty where all is well."""

    def answer(self, session: Session, reading: Reading, arguments: Mapping[str, Any]) -> Any:
        """What the reading gives there.

        Raises:
            Absent: the answer has been asked for, and this thread may not wait for it.
            UserError: what the reading raised, or why there can be no answer.
            Cancelled: `cancel` was called while this thread waited.
        """

    def load(self, path: str, model: str) -> Trace | None:
        """What `comparison.saved_run` gives there: a run that was saved there; None where there is no trace.

        Raises:
            UserError: it cannot be read, or there is no such model in it.
        """

    def export(self, session: Session, name: str, file: BinaryIO) -> None:
        """Write here what `playback.export` writes there.

        Raises:
            UserError: there can be no answer.
        """

    def cancel(self) -> None:
        """Every thread that waits for an answer now gives it up, with `lstmtui.Cancelled`."""

    def reconnect(self) -> None:
        """Try again now to get there, also where that was given up."""


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

    @cached_property
    def argument_types(self) -> dict[str, Any]:
        """The annotation of each argument by name, the session left out."""
        names = list(inspect.signature(self.function).parameters)[1:]
        return {name: self._annotations[name] for name in names}

    @property
    def answer_type(self) -> Any:
        """The annotation of the answer."""
        return self._annotations["return"]

    @cached_property
    def _annotations(self) -> dict[str, Any]:
        return get_type_hints(self.function)


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
        if READINGS.setdefault(known.name, known) is not known:
            raise ValueError(f"{known.name}: there are two readings of this name")
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


def every_reading() -> Mapping[str, Reading]:
    """All readings by name, whether their modules have been imported before or not."""
    import lstmtui.session

    for module in pkgutil.walk_packages(lstmtui.session.__path__, "lstmtui.session."):
        import_module(module.name)
    return READINGS


def together(*questions: Callable[[], Any]) -> tuple[Any, ...]:
    """The answers to some questions, all of which are asked before one is waited for.

    Raises:
        Absent: at least one of the answers is not here yet.
        UserError: what the first question that raised it did.
    """
    answers, absent = [], None
    for question in questions:
        try:
            answers.append(question())
        except Absent as error:
            absent = error
    if absent is not None:
        raise absent
    return tuple(answers)

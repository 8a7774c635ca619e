"""What may come next in the arguments of a verb: functions from a session and a begun line to words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from lstmtui.expressions import FUNCTIONS, SCALARS, scope_of
from lstmtui.session.session import Session


@dataclass(frozen=True)
class Begun:
    """What has been typed after a verb."""

    text: str
    """All of it, from the first character that is no blank."""
    before: tuple[str, ...]
    """The words that are complete."""
    last: str
    """The word that is being typed; empty after a blank."""


Complete: TypeAlias = Callable[[Session, Begun], list[str]]

_NAME = re.compile(r"[^\W\d]\w*$")


def nothing(session: Session, begun: Begun) -> list[str]:
    """No word can be suggested."""
    return []


def only(words: Callable[[Session], Iterable[str]]) -> Complete:
    """Complete one of these words, after which nothing comes."""
    return lambda session, begun: [] if begun.before else beginning(begun.last, words(session))


def name(names: Callable[[Session], Iterable[str]]) -> Complete:
    """Complete one of these names, which may contain blanks."""
    return lambda session, begun: beginning(begun.text, names(session))


def expression(session: Session, begun: Begun) -> list[str]:
    """An expression."""
    return in_expression(session, begun.last)


def in_expression(session: Session, last: str, others: Iterable[str] = ()) -> list[str]:
    """The names that the end of an expression may become, and other words that may follow it."""
    begun = _NAME.search(last)
    if begun is None and last[-1:] in (")", "]", *"0123456789"):
        return []
    names = (*quantities(session), *parameters(session), *FUNCTIONS, *SCALARS, "and", "or", "not", *others)
    return beginning(begun[0] if begun else "", names)


def quantities(session: Session) -> tuple[str, ...]:
    """The quantities of the selected layer, and their derivatives."""
    return session.trace.quantities(session.cursor.layer)


def parameters(session: Session) -> tuple[str, ...]:
    """The parameters of the selected layer, by their symbols in its equations."""
    return tuple(scope_of(session.view).parameters())


def beginning(begun: str, words: Iterable[str]) -> list[str]:
    """The words that begin so; sorted, each once."""
    return sorted({word for word in words if word.startswith(begun)})

"""A script as a lesson: pages to turn, each with what it says, asks and checks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

from lstmtui.expressions import Expression
from lstmtui.session import Command
from lstmtui.session.language.question import Question
from lstmtui.session.verbs import VERBS

WORDS_A_MINUTE = 200
"""How fast somebody reads who understands what is read, at most."""
LOOKING = 2.0
"""Seconds to look at what a page is about, where the script itself does not pause for longer."""

_UNIT = re.compile(r"\b([^\W\d]\w*)\[(\d{1,9})\]")


@dataclass(frozen=True)
class Page:
    """Commands of a script that belong together."""

    commands: tuple[Command, ...]

    @cached_property
    def note(self) -> str:
        """What it says, in Markdown; empty where it only asks, or only does something."""
        return " ".join(c.arguments[0] for c in self.commands if _part(c) == "speaks")

    @cached_property
    def question(self) -> Question | None:
        """The question of the page; None where it has none."""
        return next((c.arguments[0] for c in self.commands if _part(c) == "asks"), None)

    @cached_property
    def quantities(self) -> tuple[str, ...]:
        """The quantities that it is about, the first one first: asked for, checked, and the input last."""
        names = dict.fromkeys(q for e in self._expressions for q in _names_in_order(e))
        return tuple(sorted(names, key=lambda name: name == "x"))

    @cached_property
    def place(self) -> tuple[str, int] | None:
        """The (quantity, unit) that it is about, where it names a unit; a channel of the input is none."""
        matches = (m for expression in self._expressions for m in _UNIT.finditer(expression.text))
        return next(((m[1], int(m[2])) for m in matches if m[1] not in ("x", "y")), None)

    def seconds(self, words: int) -> float:
        """How long a person needs to read the page and to look at what it describes."""
        pause = sum(float(c.arguments[0]) for c in self.commands if _part(c) == "waits")
        return words * 60 / WORDS_A_MINUTE + max(LOOKING, pause)

    @property
    def _expressions(self) -> list[Expression]:
        questions, checks = [], []
        for command in self.commands:
            if _part(command) == "asks":
                question = command.arguments[0]
                questions += [
                    e for e in (question.value, *(c.when for c in question.choices)) if e is not None
                ]
            elif _part(command) == "checks" and isinstance(command.arguments[0], Expression):
                checks.append(command.arguments[0])
        return questions + checks


def pages_of(commands: Iterable[Command]) -> tuple[Page, ...]:
    """The pages of a script, without the commands that write files or end something.

    A page is what leads up to a note or a question, this itself, and what is checked and shown of it. Of a
    script that says nothing every command is a page.
    """
    harmless = [command for command in commands if VERBS[command.verb].is_harmless]
    if not any(_part(command) in ("speaks", "asks") for command in harmless):
        return tuple(Page((command,)) for command in harmless if _part(command) != "waits")
    numbered = zip(_numbers(harmless), harmless, strict=True)
    return tuple(Page(tuple(c for _, c in group)) for _, group in groupby(numbered, key=lambda pair: pair[0]))


def _numbers(commands: Iterable[Command]) -> Iterator[int]:
    """The number of the page that each command stands on."""
    number, is_full = 0, False
    for command in commands:
        part = _part(command)
        if is_full and part in ("acts", "speaks", "asks"):
            number, is_full = number + 1, False
        is_full = is_full or part in ("speaks", "asks", "waits")
        yield number


def _part(command: Command) -> str:
    return VERBS[command.verb].in_lesson


def _names_in_order(expression: Expression) -> list[str]:
    """The quantities of an expression in the order in which they are written."""
    return sorted(expression.quantities, key=lambda name: _place(name, expression.text))


def _place(name: str, text: str) -> int:
    match = re.search(rf"\b{re.escape(name)}\b", text)
    return match.start() if match else len(text)

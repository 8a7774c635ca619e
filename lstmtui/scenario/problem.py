"""One mistake in a user's file, said in one line: where, what, what is allowed, what was meant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from lstmtui.errors import UserError
from lstmtui.printable import printable

SHOWN = 60
"""How many characters of a value from a file are repeated in a message."""

LONGEST_BESIDE = 100
"""Characters of what is allowed, where a message says what was meant, too."""


@dataclass(frozen=True)
class Problem:
    """A mistake in a scenario or in one of its data files."""

    file: str
    line: int | None
    key: str
    """The dotted key, `model[1].hidden_size`; empty where the whole file is meant."""
    wrong: str
    allowed: str = ""
    suggestion: str = ""
    """The word that was probably meant."""

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        meant = f'did you mean "{self.suggestion}"?' if self.suggestion else ""
        allowed = "" if meant and len(self.allowed) > LONGEST_BESIDE else self.allowed
        what = "; ".join(part for part in (self.wrong, allowed, meant) if part)
        return printable(": ".join(part for part in (place, self.key, what) if part))


class ScenarioError(UserError):
    """A scenario cannot be used; the message has one line for each of its `problems`."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def one_of(words: Iterable[str]) -> str:
    """The allowed words as a phrase."""
    return "allowed: " + ", ".join(words)


def shown(value: Any) -> str:
    """A value from a file, short enough for a message."""
    if isinstance(value, str):
        return f"'{short(value)}'"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if value.bit_length() <= 64 else f"a number of {value.bit_length()} bits"
    if isinstance(value, float):
        return repr(value)
    return "a list" if isinstance(value, list) else "a table" if isinstance(value, dict) else "a date or time"


def short(text: str) -> str:
    """Text from a file, printable and cut off where it is too long for a message."""
    return printable(text if len(text) <= SHOWN else text[: SHOWN - 1] + "…")

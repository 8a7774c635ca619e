"""What is wrong with a command, and where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lstmtui.errors import UserError
from lstmtui.printable import printable

SHOWN = 40
"""How many characters of a word are repeated in a message."""


@dataclass(frozen=True)
class ScriptProblem:
    """A mistake in one line of a script or in a line typed at the prompt."""

    line: int
    """The line, counted from 1."""
    column: int
    """The character within the line, counted from 1."""
    wrong: str
    """The mistake in a sentence."""
    suggestion: str = ""
    """What was probably meant in its place; empty where nothing comes near."""
    file: str = ""
    """The script's name; empty for a line typed at the prompt."""

    @property
    def sentence(self) -> str:
        """The mistake without its place."""
        meant = f'; did you mean "{self.suggestion}"?' if self.suggestion else ""
        return printable(self.wrong + meant)

    def __str__(self) -> str:
        place = f"{self.line}:{self.column}: {self.sentence}"
        return printable(f"{self.file}:{place}" if self.file else place)


class ScriptError(UserError):
    """Commands that cannot be run; the message has one line for each of its `problems`."""

    def __init__(self, problems: Sequence[ScriptProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def shown(word: str) -> str:
    """A word as messages quote it, cut if it is long."""
    return f'"{word}"' if len(word) <= SHOWN else f'"{word[:SHOWN]}…"'

"""Collects all problems of a scenario while it is read, so that they are reported at once."""

from __future__ import annotations

from pathlib import Path

from lstmtui.printable import printable
from lstmtui.scenario.lines import Lines, Location, dotted
from lstmtui.scenario.problem import Problem, ScenarioError, short
from lstmtui.wording import counted

MOST = 20
"""How many problems are said; beyond that only their number."""


class DataError(Exception):
    """A data file, or a value in its place, cannot be used.

    `problems` are there where lines of the data file itself can be named.
    """

    def __init__(
        self,
        wrong: str,
        allowed: str = "",
        suggestion: str = "",
        *,
        within: Location = (),
        problems: tuple[Problem, ...] = (),
    ) -> None:
        super().__init__(wrong)
        self.wrong = wrong
        self.allowed = allowed
        self.suggestion = suggestion
        self.within = within
        """Where inside the value: [2][0]."""
        self.problems = problems

    def wrong_of(self, file: str | Path) -> str:
        """What is wrong, for a message that begins with the name of this file: it is not said twice."""
        path = Path(file)
        return self.wrong.removeprefix(f"{short(path.name)} ").removesuffix(f": {printable(str(path))}")


class Report:
    """Collects the problems of one scenario file."""

    def __init__(self, file: str, text: str = "") -> None:
        self.file = file
        self._text = text
        self._own: list[tuple[Location, str, str, str]] = []
        self._elsewhere: list[Problem] = []
        self._uncollected = 0

    def __len__(self) -> int:
        return len(self._own) + len(self._elsewhere) + self._uncollected

    def is_full(self) -> bool:
        """Whether there are far more problems than will be said; further ones need only be counted."""
        return len(self._own) >= 50 * MOST

    def count(self) -> None:
        """One more problem, of which nothing but the number is kept."""
        self._uncollected += 1

    def add(self, location: Location, wrong: str, allowed: str = "", suggestion: str = "") -> None:
        """A problem at a key of the scenario file."""
        if self.is_full():
            self.count()
            return
        self._own.append((location, wrong, allowed, suggestion))

    def add_error(self, location: Location, error: DataError) -> None:
        """What is wrong with a data file or value that stands at a key of the scenario file."""
        if error.problems:
            self._elsewhere.extend(error.problems)
        else:
            self.add((*location, *error.within), error.wrong, error.allowed, error.suggestion)

    def raise_if_any(self) -> None:
        """Raise :class:`ScenarioError` where there are problems, in the order of the file's lines."""
        if not len(self):
            return
        lines = Lines(self._text)
        own = [
            Problem(self.file, lines.find(location), short_key(location), *what)
            for location, *what in self._own
        ]
        own.sort(key=lambda problem: problem.line or 0)
        problems = [*own, *self._elsewhere]
        if len(self) > MOST:
            rest = Problem(self.file, None, "", f"and {counted(len(self) - MOST, 'more problem')}")
            problems = [*problems[:MOST], rest]
        raise ScenarioError(problems)


def short_key(location: Location) -> str:
    """A location as a dotted key, each part cut off where it is too long for a message."""
    return dotted(tuple(short(part) if isinstance(part, str) else part for part in location))

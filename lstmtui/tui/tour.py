"""A scenario's script as a guided tour: one command after another, until the user takes over."""

from __future__ import annotations

from collections.abc import Sequence

from lstmtui.expressions import open_vocabulary
from lstmtui.session.language import Command, ScriptError
from lstmtui.session.parse import parse_line
from lstmtui.session.verbs import VERBS

BETWEEN = 0.7
"""Seconds between two commands."""
AFTER_NOTE = 3.0
"""Seconds to read a note, where the script itself does not pause."""


class Tour:
    """Where a tour stands. A scenario's script writes no files and ends nothing while somebody looks.

    Args:
        commands: of the script, in order.
    """

    def __init__(self, commands: Sequence[Command]) -> None:
        self.commands = tuple(c for c in commands if VERBS[c.verb].is_harmless)
        self.position = 0

    @property
    def finished(self) -> bool:
        """Whether there is nothing left."""
        return self.position >= len(self.commands)

    @property
    def progress(self) -> str:
        """ "3 of 12"."""
        return f"{self.position} of {len(self.commands)}"

    def next(self) -> tuple[Command, float]:
        """The next command, and the seconds to wait after it."""
        command = self.commands[self.position]
        self.position += 1
        if command.verb == "pause":
            return command, max(BETWEEN, float(command.arguments[0]))
        following = self.commands[self.position].verb if not self.finished else ""
        wait = AFTER_NOTE if command.verb == "note" and following != "pause" else BETWEEN
        return command, wait


def is_harmless(line: str) -> bool:
    """Whether a command that somebody else wrote may be executed: it writes no file and ends nothing."""
    try:
        command = parse_line(line, vocabulary=open_vocabulary())
    except ScriptError:  # which will be said when it is executed
        return True
    return command is None or VERBS[command.verb].is_harmless

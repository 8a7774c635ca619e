"""Which commands that somebody else wrote may be executed."""

from __future__ import annotations

from lstmtui.expressions import open_vocabulary
from lstmtui.session.language import ScriptError
from lstmtui.session.parse import parse_line
from lstmtui.session.verbs import VERBS


def is_harmless(line: str) -> bool:
    """Whether a command that somebody else wrote may be executed: it writes no file and ends nothing."""
    try:
        command = parse_line(line, vocabulary=open_vocabulary())
    except ScriptError:  # which will be said when it is executed
        return True
    return command is None or VERBS[command.verb].is_harmless

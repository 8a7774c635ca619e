"""From text to commands."""

from __future__ import annotations

from dataclasses import replace

from lstmtui.closest import closest
from lstmtui.expressions import Vocabulary
from lstmtui.session.language.command import Command
from lstmtui.session.language.problem import ScriptError, ScriptProblem, shown
from lstmtui.session.language.reader import Reader
from lstmtui.session.verbs import ALIASES, OTHER_NAMES, VERBS


def parse_line(text: str, line: int = 1, vocabulary: Vocabulary | None = None) -> Command | None:
    """One command; None for a blank line or a comment.

    Args:
        text: the line, which may be anything at all.
        line: its number in the script.
        vocabulary: the words of its expressions; None: those of the cells.

    Raises:
        ScriptError: with one problem, which says the column.
    """
    reader = Reader(text, line, vocabulary)
    if reader.done:
        return None
    at = reader.at
    written = reader.text[at:]
    name = reader.word("a command is missing")
    verb = VERBS.get(ALIASES.get(name, name))
    if verb is None:
        meant = OTHER_NAMES.get(name.lower()) or closest(name, VERBS)
        reader.unknown(f"there is no command {shown(name)}", "verbs", at, meant)
    arguments = verb.parse(reader)
    reader.end(verb.usage)
    return Command(verb.name, arguments, written, line)


def parse_script(text: str, file: str = "", vocabulary: Vocabulary | None = None) -> tuple[Command, ...]:
    """Every command of a script.

    Args:
        text: the script, one command to a line.
        file: its name, for messages.
        vocabulary: the words of its expressions; None: those of the cells.

    Raises:
        ScriptError: with the problems of all its lines.
    """
    commands: list[Command] = []
    problems: list[ScriptProblem] = []
    for number, line in enumerate(text.split("\n"), 1):
        try:
            command = parse_line(line.removesuffix("\r"), number, vocabulary)
        except ScriptError as error:
            problems += (replace(problem, file=file) for problem in error.problems)
        else:
            if command is not None:
                commands.append(command)
    if problems:
        raise ScriptError(problems)
    return tuple(commands)

"""A script before it is played: where it stands, what it says, and everything that is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass

from lstmtui.expressions import Vocabulary
from lstmtui.playback.file_names import name_problem
from lstmtui.session.language import Command, ScriptError, ScriptProblem
from lstmtui.session.parse import parse_script
from lstmtui.session.rehearsal import rehearse
from lstmtui.session.verbs import VERBS
from lstmtui.trace import Traces

MOST_LINES_BEFORE = 100_000


@dataclass(frozen=True)
class Script:
    """Commands as text."""

    text: str
    file: str
    """What its messages begin with: the file it stands in."""

    def parse(self, vocabulary: Vocabulary | None = None) -> tuple[Command, ...]:
        """Its commands.

        Args:
            vocabulary: the words of its expressions; None: those of the cells.

        Raises:
            ScriptError: with the problems of all its lines, names of files included.
        """
        commands, problems = self.read(vocabulary)
        if problems:
            raise ScriptError(problems)
        return commands

    def read(self, vocabulary: Vocabulary | None = None) -> tuple[tuple[Command, ...], list[ScriptProblem]]:
        """The commands of the lines that can be read, and the problems of all lines, in their order."""
        lines = self.text.split("\n")
        problems: list[ScriptProblem] = []
        try:
            commands = parse_script(self.text, self.file, vocabulary)
        except ScriptError as error:
            problems += error.problems
            for problem in problems:
                lines[problem.line - 1] = ""
            commands = parse_script("\n".join(lines), self.file, vocabulary)
        name_problems = (self._name_problem(c, lines[c.line - 1]) for c in commands)
        problems += (problem for problem in name_problems if problem)
        return commands, sorted(problems, key=_place)

    def problems(self, vocabulary: Vocabulary, traces: Traces | None) -> list[ScriptProblem]:
        """The problems of all lines, and what would be refused whatever the numbers of the runs are.

        Args:
            vocabulary: the words of its expressions.
            traces: the shapes of the runs it is played on; None: they are not known.
        """
        commands, problems = self.read(vocabulary)
        for command, wrong in () if traces is None else rehearse(traces, commands):
            line = self.text.split("\n")[command.line - 1]
            column = len(line) - len(line.lstrip()) + 1
            problems.append(ScriptProblem(command.line, column, wrong, file=self.file))
        return sorted(problems, key=_place)

    def _name_problem(self, command: Command, line: str) -> ScriptProblem | None:
        """What is wrong with the name of the file that a command writes."""
        if not VERBS[command.verb].writes:
            return None
        name = command.arguments[0]
        wrong = name_problem(command.verb, name)
        # The name is the end of the command; what a comment holds may look the same.
        column = len(line) - len(line.lstrip()) + len(command.text) - len(name) + 1
        return ScriptProblem(command.line, column, wrong, file=self.file) if wrong else None


def _place(problem: ScriptProblem) -> tuple[int, int]:
    return problem.line, problem.column


def script_within(text: str, script: str, file: str) -> Script:
    """A script that stands in a larger file, with the lines and columns of that file.

    Args:
        text: the whole file.
        script: what was read from it.
        file: its name.
    """
    at = text.find(script)
    before = text[:at].count("\n") if at >= 0 else 0
    if at < 0 or text.count(script) > 1 or before > MOST_LINES_BEFORE:
        return Script(script, f"{file}: playback.script")
    return Script("\n" * before + " " * (at - text.rfind("\n", 0, at) - 1) + script, file)

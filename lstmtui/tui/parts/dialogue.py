"""Shows the outcomes of commands, at the prompt and in the footer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lstmtui.session import Outcome, ScriptError, Stop
from lstmtui.session.requests import Help, Note, ShowJacobian, ShowMessages, ShowWhy
from lstmtui.tui.command_line import CommandLine

SAYING_THEMSELVES = (Note, Help, ShowMessages, ShowWhy, ShowJacobian)
"""What is shown elsewhere than in the footer or at the prompt."""


class Dialogue:
    """Answers at the prompt if a line was entered there, and otherwise in the footer.

    Args:
        prompt: where lines are entered.
        say: puts a message into the footer, or none.
        redraw: called after something was told.
        is_busy: whether a command runs that will answer later.
    """

    def __init__(
        self,
        prompt: CommandLine,
        say: Callable[[Stop | None], None],
        redraw: Callable[[], None],
        is_busy: Callable[[], bool],
    ) -> None:
        self._prompt, self._say, self._redraw, self._is_busy = prompt, say, redraw, is_busy
        self._typed = False
        """Whether what is told now answers the prompt, and not a key, a timer or a lesson."""
        self._line: str | None = None
        """What was entered of the command that runs, where the prompt was closed meanwhile."""

    @contextmanager
    def answers(self, typed: bool = True) -> Iterator[None]:
        """Within this context, messages are answers to the prompt."""
        self._typed = typed
        try:
            yield
        finally:
            self._typed = False

    def show(self, outcome: Outcome) -> None:
        """Show the outcome of a command: in the footer, or above the prompt while that is open."""
        quiet = outcome.stop is not None and outcome.stop.is_quiet
        if outcome.stop is not None:
            self._say(None if quiet else outcome.stop)
        elif not isinstance(outcome.request, SAYING_THEMSELVES):
            self._say(Stop("select" if outcome.ok else "refused", outcome.text))
        if self._typed and self._prompt.is_open:
            self._answer(outcome, quiet=quiet)
        self._redraw()

    def refuse(self, text: str, error: ScriptError) -> None:
        """Show a mistake under the place where it is."""
        problem = error.problems[0]
        if self._typed and self._prompt.is_open:
            self._prompt.refuse(problem.sentence, problem.column)
        else:
            self._say(Stop("refused", f"{text}: {problem.sentence}"))
            self._redraw()

    def put_off(self, *, comes_back: bool) -> None:
        """Answer the entered line later: what is typed in the meantime is the next line.

        Args:
            comes_back: whether the prompt is opened again with the line where the footer is not enough.
        """
        if self._typed:
            self._line = self._prompt.input.value if comes_back else self._line
            self._prompt.close()

    def late_answer(self, outcome: Outcome, *, stayed: bool) -> bool:
        """Whether the outcome of the command that ran answers the prompt, which may be opened again for it.

        Args:
            outcome: of the command.
            stayed: whether the prompt stayed open while it ran.
        """
        line, self._line = self._line, None
        # Where something else is being typed by now, the footer says what came of it.
        if line is not None and not self._prompt.is_open and not self._footer_is_enough(outcome):
            self._prompt.open(line)
            return True
        return stayed and not self._prompt.input.value

    def _answer(self, outcome: Outcome, *, quiet: bool) -> None:
        """Close the prompt where the footer says enough; else leave it open under the answer."""
        if self._footer_is_enough(outcome, quiet=quiet) and not self._is_busy():
            self._prompt.close()
            return
        self._prompt.input.value = "" if outcome.ok else self._prompt.input.value
        self._prompt.show_answer([((outcome.text, "text" if outcome.ok else "warning"),)])

    def _footer_is_enough(self, outcome: Outcome, *, quiet: bool = False) -> bool:
        fits = len(outcome.text) < self._prompt.screen.size.width - 2
        is_said = isinstance(outcome.request, SAYING_THEMSELVES)
        return outcome.ok and (quiet or fits or is_said or self._prompt.is_for_one)

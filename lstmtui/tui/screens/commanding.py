"""Commands on a screen: from the prompt, from keys and from a tour, executed and answered in one place."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.message import Message
from textual.screen import Screen
from textual.worker import get_current_worker

from lstmtui.errors import Cancelled, UserError
from lstmtui.session import Session, Stop
from lstmtui.session.execute import Outcome, execute
from lstmtui.session.language import Command, ScriptError, complete, parse_line
from lstmtui.session.preparation import prepare
from lstmtui.tui.command_line import CommandLine
from lstmtui.tui.theme import Look

RUNS_MODELS = ("set", "unset", "loss")
"""The verbs that run a model again, and therefore work off the event loop."""
KEEPS = ("break", "delete", "enable", "disable", "watch", "unwatch")
"""The verbs after which breakpoints and watches are kept for the next time."""
QUIET = ("step", "into", "out", "goto")
"""Movements that the panels show well enough without a sentence."""


class CommandingScreen(Screen[None]):
    """A screen with a session and a prompt. What comes of a command is shown by `show_session`.

    Args:
        session: what commands are executed on.
        look: what the terminal can show.
        place: the file the session comes from, which breakpoints and watches are kept for.
    """

    AUTO_FOCUS: ClassVar[str | None] = ""

    class Executed(Message):
        """A command that ran off the event loop is done."""

        def __init__(self, command: Command, outcome: Outcome) -> None:
            super().__init__()
            self.command, self.outcome = command, outcome

    class Kept(Message):
        """Breakpoints or watches changed."""

        def __init__(self, session: Session, place: Path | None) -> None:
            super().__init__()
            self.session, self.place = session, place

    def __init__(self, session: Session, look: Look, place: Path | None = None) -> None:
        super().__init__()
        self.session, self.look, self.place = session, look, place
        self.message: Stop | None = None
        self.command_line = CommandLine(
            look, lambda text: complete(text, session), self._run_typed, self._close_prompt
        )
        self.running: Command | None = None
        self._typed = False
        """Whether what is told now answers the prompt, and not a key, a timer or a tour."""

    def show_session(self) -> None:
        """Draw what changed."""

    def handle_request(self, request: tuple[object, ...]) -> None:
        """Do what only a front end can: note, pause, screenshot, export, quit."""

    def run_text(self, text: str) -> None:
        """Execute a line as if it had been typed."""
        try:
            command = parse_line(text)
        except ScriptError as error:
            self._refuse(text, error)
            return
        if command is not None:
            self.start_command(command)

    def _run_typed(self, text: str) -> None:
        """Execute a line that was entered at the prompt, and answer there."""
        self._typed = True
        try:
            self.run_text(text)
        finally:
            self._typed = False

    def start_command(self, command: Command) -> None:
        """Execute a command; one that runs a model is done when `Executed` arrives."""
        if self.running is not None:
            self.tell(Outcome(False, f"still running: {self.running.text}"))
        elif command.verb in RUNS_MODELS and self.session.variants is not None:
            self.running = command
            self.tell(Outcome(True, f"running the model again: {command.text}"))
            self._execute(command)
        else:
            self.finish_command(command, execute(self.session, command))

    def finish_command(self, command: Command, outcome: Outcome) -> None:
        """Show what came of a command."""
        if outcome.request is not None:
            try:
                self.handle_request(outcome.request)
            except (OSError, UserError) as error:
                outcome = Outcome(False, f"{command.text}: {error}")
        if command.verb in KEEPS:
            self.post_message(self.Kept(self.session, self.place))
        self.tell(outcome)

    def tell(self, outcome: Outcome) -> None:
        """Say what came of a command: in the footer, or above the prompt while that is open."""
        quiet = outcome.stop is not None and outcome.stop.kind in QUIET
        says_itself = outcome.request is not None and outcome.request[0] == "note"
        if outcome.stop is not None:
            self.message = None if quiet else outcome.stop
        elif not says_itself:
            self.message = Stop("select" if outcome.ok else "refused", outcome.text)
        if self._typed and self.command_line.is_open:
            self._answer(outcome, quiet=quiet)
        self.show_session()

    @work(thread=True, exclusive=True, group="run", exit_on_error=False)
    def _execute(self, command: Command) -> None:
        worker = get_current_worker()

        def progress(done: int, total: int) -> None:
            if worker.is_cancelled:
                raise Cancelled

        if self.session.variants is not None:
            self.session.variants.progress = progress
        try:
            outcome = execute(self.session, command)
            # The gradients of a changed run are worked out when first asked for: here, not in a panel.
            prepare(self.session.trace)
        except Cancelled:
            outcome = Outcome(False, f"stopped: {command.text}")
        self.post_message(self.Executed(command, outcome))

    @on(Executed)
    def _executed(self, event: Executed) -> None:
        self.running = None
        # Where something else is being typed by now, the footer says what came of it.
        self._typed = not self.command_line.input.value
        try:
            self.finish_command(event.command, event.outcome)
        finally:
            self._typed = False

    def action_command(self, begun: str = "") -> None:
        """Open the prompt with something typed already."""
        self.command_line.open(begun)

    def action_run(self, text: str) -> None:
        """A key that stands for a command."""
        self.run_text(text)

    def _answer(self, outcome: Outcome, *, quiet: bool) -> None:
        """Close the prompt where the footer says enough; else leave it open under the answer."""
        fits = len(outcome.text) < self.size.width - 2
        if outcome.ok and (quiet or fits) and self.running is None:
            self._close_prompt()
            return
        self.command_line.input.value = "" if outcome.ok else self.command_line.input.value
        self.command_line.say([((outcome.text, "text" if outcome.ok else "warning"),)])

    def _close_prompt(self) -> None:
        self.command_line.close()
        self.set_focus(None)

    def _refuse(self, text: str, error: ScriptError) -> None:
        """Show a mistake under the place where it is."""
        problem = error.problems[0]
        if self._typed and self.command_line.is_open:
            self.command_line.refuse(problem.sentence, problem.column)
        else:
            self.message = Stop("refused", f"{text}: {problem.sentence}")
            self.show_session()

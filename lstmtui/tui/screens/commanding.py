"""Commands on a screen: from the prompt, from keys and from a tour, executed and answered in one place."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Event
from typing import ClassVar

from textual import on, work
from textual.message import Message
from textual.screen import Screen
from textual.widget import Widget
from textual.worker import get_current_worker

from lstmtui.analysis.preparation import prepare
from lstmtui.errors import Cancelled, UserError
from lstmtui.session import Session, Stop
from lstmtui.session.completion import complete
from lstmtui.session.execute import execute
from lstmtui.session.language import Command, ScriptError
from lstmtui.session.outcome import Outcome
from lstmtui.session.parse import parse_line
from lstmtui.session.requests import Note, Request
from lstmtui.session.verbs import VERBS
from lstmtui.tui.command_line import CommandLine
from lstmtui.tui.theme import Look
from lstmtui.tui.whole_run import is_small

SLOW = 0.3
"""Seconds after which it is said that an answer is waited for."""
MOST_WAITING = 100
"""So many commands wait for the one that runs; more are refused."""


class CommandingScreen(Screen[None]):
    """A screen with a session and a prompt. What comes of a command is shown by `show_session`.

    Args:
        session: what commands are executed on.
        look: what the terminal can show.
        place: the file or address the session comes from, which breakpoints and watches are kept for.
    """

    AUTO_FOCUS: ClassVar[str | None] = ""

    class Executed(Message):
        """A command that ran off the event loop is done."""

        def __init__(self, command: Command, outcome: Outcome) -> None:
            super().__init__()
            self.command, self.outcome = command, outcome

    class Kept(Message):
        """Breakpoints or watches changed."""

        def __init__(self, session: Session, place: Path | str | None) -> None:
            super().__init__()
            self.session, self.place = session, place

    def __init__(self, session: Session, look: Look, place: Path | str | None = None) -> None:
        super().__init__()
        self.session, self.look, self.place = session, look, place
        self.message: Stop | None = None
        self.command_line = CommandLine(
            look, lambda text: complete(text, session), self._run_typed, lambda: self.command_line.close()
        )
        self.running: Command | None = None
        self._waiting: deque[Command] = deque()
        """Commands that came while another ran which reads arrays elsewhere."""
        self._typed = False
        """Whether what is told now answers the prompt, and not a key, a timer or a tour."""
        self._given_up = Event()
        """Set when the command that runs is not wanted any more."""
        self._line: str | None = None
        """What was typed of the command that runs, where its answer is elsewhere."""

    def set_focus(
        self, widget: Widget | None, scroll_visible: bool = True, from_app_focus: bool = False
    ) -> None:
        """Focus a widget, or none; Textual changes the focus nowhere else."""
        if not self.command_line.keeps_focus_from(widget):
            super().set_focus(widget, scroll_visible, from_app_focus)

    def show_session(self) -> None:
        """Draw what changed."""

    def handle_request(self, request: Request) -> None:
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
            self._wait(command, self.running)
        elif VERBS[command.verb].runs_model and self.session.what_ifs is not None:
            self.running = command
            self.tell(Outcome(True, f"running the model again: {command.text}"))
            self._given_up = Event()
            self._execute(command, self._given_up)
        elif self._is_long(command):
            self.running = command
            if self._typed:
                # What is typed ahead is the next line, as it is after an answer that comes at once.
                self._line = self.command_line.input.value
                self.command_line.close()
            self.set_timer(SLOW, partial(self._say_that_it_is_slow, command))
            self._given_up = Event()
            self._execute(command, self._given_up)
        else:
            self.finish_command(command, execute(self.session, command))

    def _is_long(self, command: Command) -> bool:
        """Whether nobody can say how long it takes: arrays are elsewhere, or all of them are read."""
        reads = VERBS[command.verb].reads
        if reads == "run" and not is_small(self.session):
            return True
        return self.session.backend is not None and reads != "nothing"

    def _wait(self, command: Command, running: Command) -> None:
        """Execute a command after the one that runs, unless that may take long."""
        if VERBS[running.verb].runs_model or len(self._waiting) >= MOST_WAITING:
            self.tell(Outcome(False, f"still running: {running.text}"))
        else:
            self._waiting.append(command)
            if self._typed:
                self.command_line.close()

    def _say_that_it_is_slow(self, command: Command) -> None:
        if self.running is command:
            self.tell(Outcome(True, f"waiting for the answer: {command.text}"))

    def stop_running(self) -> None:
        """Give up the command that runs, and those that wait for it."""
        self._waiting.clear()
        # Not by cancelling the worker: one that has not begun would never say that it is done.
        self._given_up.set()
        if self.session.backend is not None:
            self.session.backend.cancel()

    def finish_command(self, command: Command, outcome: Outcome) -> None:
        """Show what came of a command."""
        outcome = self._carried_out(command, outcome)
        if VERBS[command.verb].changes_saved_state:
            self.post_message(self.Kept(self.session, self.place))
        self.tell(outcome)

    def tell(self, outcome: Outcome) -> None:
        """Say what came of a command: in the footer, or above the prompt while that is open."""
        quiet = outcome.stop is not None and outcome.stop.is_quiet
        if outcome.stop is not None:
            self.message = None if quiet else outcome.stop
        elif not isinstance(outcome.request, Note):
            self.message = Stop("select" if outcome.ok else "refused", outcome.text)
        if self._typed and self.command_line.is_open:
            self._answer(outcome, quiet=quiet)
        self.show_session()

    def _carried_out(self, command: Command, outcome: Outcome) -> Outcome:
        """What came of a command after what only a front end can do."""
        if outcome.request is None:
            return outcome
        try:
            self.handle_request(outcome.request)
        except (OSError, UserError) as error:
            return Outcome(False, f"{command.text}: {error}")
        return outcome

    @work(thread=True, exclusive=True, group="run", exit_on_error=False)
    def _execute(self, command: Command, given_up: Event) -> None:
        worker = get_current_worker()

        def progress(done: int, total: int) -> None:
            if worker.is_cancelled or given_up.is_set():
                raise Cancelled

        if self.session.what_ifs is not None:
            self.session.what_ifs.progress = progress
        try:
            progress(0, 1)
            # An export fetches what it writes, and is done here as well.
            outcome = replace(self._carried_out(command, execute(self.session, command)), request=None)
            # The gradients of a changed run are worked out when first asked for: here, not in a panel.
            prepare(self.session.trace)
        except Cancelled:
            outcome = Outcome(False, f"stopped: {command.text}")
        except Exception as error:  # else the command would run for ever
            outcome = Outcome(False, f"{command.text}: {error}")
        self.post_message(self.Executed(command, outcome))

    @on(Executed)
    def _executed(self, event: Executed) -> None:
        self.running = None
        # Where something else is being typed by now, the footer says what came of it.
        line, self._line = self._line, None
        asks = line is not None and not self.command_line.is_open and not self._is_told(event.outcome)
        if asks:
            self.command_line.open(line or "")
        stayed = VERBS[event.command.verb].runs_model and not self.command_line.input.value
        self._typed = asks or stayed
        try:
            self.finish_command(event.command, event.outcome)
        finally:
            self._typed = False
        while self._waiting and self.running is None:
            self.start_command(self._waiting.popleft())

    def action_command(self, begun: str = "") -> None:
        """Open the prompt with something typed already."""
        self.command_line.open(begun)

    def action_run(self, text: str) -> None:
        """A key that stands for a command."""
        self.run_text(text)

    def _answer(self, outcome: Outcome, *, quiet: bool) -> None:
        """Close the prompt where the footer says enough; else leave it open under the answer."""
        if self._is_told(outcome, quiet=quiet) and self.running is None:
            self.command_line.close()
            return
        self.command_line.input.value = "" if outcome.ok else self.command_line.input.value
        self.command_line.say([((outcome.text, "text" if outcome.ok else "warning"),)])

    def _is_told(self, outcome: Outcome, *, quiet: bool = False) -> bool:
        """Whether the footer says enough of what came of a line."""
        return outcome.ok and (quiet or len(outcome.text) < self.size.width - 2)

    def _refuse(self, text: str, error: ScriptError) -> None:
        """Show a mistake under the place where it is."""
        problem = error.problems[0]
        if self._typed and self.command_line.is_open:
            self.command_line.refuse(problem.sentence, problem.column)
        else:
            self.message = Stop("refused", f"{text}: {problem.sentence}")
            self.show_session()

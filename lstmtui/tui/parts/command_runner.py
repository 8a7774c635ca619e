"""Runs commands one after another: at once, or off the event loop if one may take long."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from threading import Event

from textual.message import Message
from textual.screen import Screen
from textual.worker import get_current_worker

from lstmtui.analysis.preparation import prepare
from lstmtui.errors import Cancelled
from lstmtui.session import Command, Outcome, Session
from lstmtui.session.execute import execute
from lstmtui.session.requests import ShowJacobian, ShowLaws, ShowWhy
from lstmtui.session.verbs import VERBS
from lstmtui.tui.parts.dialogue import Dialogue
from lstmtui.tui.whole_run import is_small

SLOW = 0.3
"""Seconds after which it is said that an answer is waited for."""
MOST_WAITING = 100
"""So many commands wait for the one that runs; more are refused."""


class Executed(Message):
    """A command that ran off the event loop has ended; pass it to `executed` of the runner."""

    def __init__(self, command: Command, outcome: Outcome) -> None:
        super().__init__()
        self.command, self.outcome = command, outcome


class CommandRunner:
    """Executes commands on a session.

    Args:
        session: what they are executed on.
        screen: has the threads and timers, and is sent `Executed`.
        dialogue: is told what takes long.
        carry_out: does what only a front end can; also called off the event loop.
        finish: is told what came of each command.
    """

    def __init__(
        self,
        session: Session,
        screen: Screen[None],
        dialogue: Dialogue,
        carry_out: Callable[[Command, Outcome], Outcome],
        finish: Callable[[Command, Outcome], None],
    ) -> None:
        self._session, self._screen, self._dialogue = session, screen, dialogue
        self._carry_out, self._finish = carry_out, finish
        self.running: Command | None = None
        """What runs off the event loop."""
        self._runs_model = False
        """Whether that runs a model."""
        self._waiting: deque[Command] = deque()
        """Commands that came while another ran which reads arrays elsewhere."""
        self._given_up = Event()
        """Set when the command that runs is not wanted any more."""

    def start(self, command: Command) -> None:
        """Execute a command; one that takes long is done when `Executed` arrives."""
        if self.running is not None:
            self._wait(command, self.running)
        elif VERBS[command.verb].runs(self._session):
            self.running, self._runs_model = command, True
            self._dialogue.show(Outcome(True, f"running the model again: {command.text}"))
            self._execute_elsewhere(command)
        elif self._is_long(command):
            self.running, self._runs_model = command, False
            self._dialogue.put_off(comes_back=True)
            self._screen.set_timer(SLOW, partial(self._say_that_it_is_slow, command))
            self._execute_elsewhere(command)
        else:
            self._finish(command, execute(self._session, command))

    def executed(self, event: Executed) -> None:
        """Show the outcome of the command that has ended, and run the next one."""
        self.running = None
        with self._dialogue.answers(self._dialogue.late_answer(event.outcome, stayed=self._runs_model)):
            self._finish(event.command, event.outcome)
        while self._waiting and self.running is None:
            self.start(self._waiting.popleft())

    def stop(self) -> None:
        """Give up the command that runs, and those that wait for it."""
        self._waiting.clear()
        # Not by cancelling the worker: one that has not begun would never say that it is done.
        self._given_up.set()
        if self._session.backend is not None:
            self._session.backend.cancel()

    def _is_long(self, command: Command) -> bool:
        """Whether a command may take long: arrays are on another machine, or all of them are read."""
        reads = VERBS[command.verb].reads
        if reads == "run" and not is_small(self._session):
            return True
        return self._session.backend is not None and reads != "nothing"

    def _wait(self, command: Command, running: Command) -> None:
        """Execute a command after the one that runs, unless that may take long."""
        if self._runs_model or len(self._waiting) >= MOST_WAITING:
            self._dialogue.show(Outcome(False, f"still running: {running.text}"))
        else:
            self._waiting.append(command)
            self._dialogue.put_off(comes_back=False)

    def _say_that_it_is_slow(self, command: Command) -> None:
        if self.running is command:
            self._dialogue.show(Outcome(True, f"waiting for the answer: {command.text}"))

    def _show_progress(self, command: Command, text: str) -> None:
        """Show what the running command is doing."""
        if self.running is command:
            self._dialogue.show(Outcome(True, text))

    def _execute_elsewhere(self, command: Command) -> None:
        self._given_up = Event()
        work = partial(self._work, command, self._given_up)
        self._screen.run_worker(work, group="run", exclusive=True, thread=True, exit_on_error=False)

    def _work(self, command: Command, given_up: Event) -> None:
        worker = get_current_worker()

        def progress(done: int, total: int) -> None:
            if worker.is_cancelled or given_up.is_set():
                raise Cancelled

        if self._session.what_ifs is not None:
            self._session.what_ifs.progress = progress
        self._session.says = lambda text: self._screen.app.call_from_thread(
            self._show_progress, command, text
        )
        try:
            progress(0, 1)
            outcome = execute(self._session, command)
            if not isinstance(outcome.request, ShowLaws | ShowWhy | ShowJacobian):
                # An export fetches what it writes, and is done here as well; a screen is opened there.
                outcome = replace(self._carry_out(command, outcome), request=None)
            # The gradients of a changed run are worked out when first asked for: here, not in a panel.
            prepare(self._session.trace)
        except Cancelled:
            outcome = Outcome(False, f"stopped: {command.text}")
        except Exception as error:  # else the command would run for ever
            outcome = Outcome(False, command.refused(str(error)))
        self._screen.post_message(Executed(command, outcome))

"""A scenario's script given as a tour on a screen: by the clock, held by any key."""

from __future__ import annotations

from collections.abc import Callable

from textual.screen import Screen
from textual.timer import Timer

from lstmtui.expressions import open_vocabulary
from lstmtui.session import Command, Outcome, ScriptError, Session
from lstmtui.session.parse import parse_script
from lstmtui.tui.tour import Tour

WAIT = 0.1
"""Seconds until it is looked again whether the screen has caught up."""


class TourGuide:
    """Executes the commands of a tour, with time to look between them.

    Args:
        session: whose scenario has the script.
        screen: has the clock.
        is_behind: whether the screen does not show yet where the session is: the tour waits for it.
        start: executes a command.
        tell: is told where the tour begins, waits and ends.
    """

    def __init__(
        self,
        session: Session,
        screen: Screen[None],
        is_behind: Callable[[], bool],
        start: Callable[[Command], None],
        tell: Callable[[Outcome], None],
    ) -> None:
        self._session, self._screen, self._is_behind = session, screen, is_behind
        self._start, self._tell = start, tell
        self.tour: Tour | None = None
        """The tour that is given, waits, or was given last."""
        self._timer: Timer | None = None

    @property
    def is_touring(self) -> bool:
        """Whether the tour goes on by itself."""
        return self._timer is not None

    def toggle(self) -> None:
        """Begin the tour, go on with it, or hold it."""
        if self.is_touring:
            self.hold()
            return
        if self.tour is None or self.tour.finished:
            try:
                self.tour = Tour(parse_script(self._session.trace.header.script, "script", open_vocabulary()))
            except ScriptError as error:
                self._tell(Outcome(False, str(error.problems[0])))
                return
        if self.tour.finished:
            self._tell(Outcome(False, "this scenario has no playback script"))
            return
        self._go_on()

    def hold(self) -> None:
        """Let the tour wait where it is."""
        if self._timer is not None and self.tour is not None:
            self._timer.stop()
            self._timer = None
            self._tell(Outcome(True, f"the tour waits at {self.tour.progress}; t goes on with it"))

    def _go_on(self) -> None:
        self._timer = None
        if self.tour is None:
            return
        if self._is_behind():
            self._timer = self._screen.set_timer(WAIT, self._go_on)
        elif self.tour.finished:
            self._tell(Outcome(True, "the tour is over"))
        else:
            command, wait = self.tour.next()
            self._start(command)
            self._timer = self._screen.set_timer(wait, self._go_on)

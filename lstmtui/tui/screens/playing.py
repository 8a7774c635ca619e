"""Time passing by itself: playing timestep by timestep, and a scenario's script as a tour."""

from __future__ import annotations

from pathlib import Path

from textual.reactive import var
from textual.timer import Timer

from lstmtui.session import Session, Stop
from lstmtui.session.language import ScriptError
from lstmtui.session.outcome import Outcome
from lstmtui.session.parse import parse_script
from lstmtui.tui.screens.commanding import CommandingScreen
from lstmtui.tui.theme import Look
from lstmtui.tui.tour import Tour

SPEEDS = (1, 2, 5, 10, 20, 50)
"""Timesteps per second while playing."""


class PlayingScreen(CommandingScreen):
    """A screen that plays, and gives tours; any key takes over."""

    speed: var[int] = var(2)
    """The position in `SPEEDS`."""

    def __init__(self, session: Session, look: Look, place: Path | str | None = None) -> None:
        super().__init__(session, look, place)
        self.timer: Timer | None = None
        self.tour: Tour | None = None
        self.tour_timer: Timer | None = None

    @property
    def is_behind(self) -> bool:
        """Whether the screen does not show yet where the session is: time waits for it."""
        return self.running is not None

    def refuse(self, text: str) -> None:
        """Say that something cannot be done."""
        self.tell(Outcome(False, text))

    def action_play(self) -> None:
        """Play, or pause."""
        if self.timer is None:
            self._play()
        else:
            self._pause()
        self.show_session()

    def action_faster(self, by: int) -> None:
        """Another speed of playing."""
        self.speed = min(max(self.speed + by, 0), len(SPEEDS) - 1)
        if self.timer is not None:
            self._pause()
            self._play()
        self.message = Stop("select", f"{SPEEDS[self.speed]} timesteps a second")
        self.show_session()

    def _play(self) -> None:
        self.message = None
        self.timer = self.set_interval(1 / SPEEDS[self.speed], self._tick)

    def _pause(self) -> None:
        if self.timer is not None:
            self.timer.stop()
            self.timer = None

    def _tick(self) -> None:
        if self.is_behind:
            return
        stop = self.session.step()
        if stop.kind != "step":
            self._pause()
        self.tell(Outcome(stop.ok, stop.text, stop=stop))

    def action_tour(self) -> None:
        """Play the scenario's script, go on with it, or hold it."""
        if self.tour_timer is not None:
            self._hold_tour()
            return
        if self.tour is None or self.tour.finished:
            try:
                self.tour = Tour(parse_script(self.session.trace.header.script, "script"))
            except ScriptError as error:
                self.refuse(str(error.problems[0]))
                return
        if self.tour.finished:
            self.refuse("this scenario has no playback script")
            return
        self._tour_on()

    def _tour_on(self) -> None:
        self.tour_timer = None
        if self.tour is None:
            return
        if self.is_behind:
            self.tour_timer = self.set_timer(0.1, self._tour_on)
        elif self.tour.finished:
            self.tell(Outcome(True, "the tour is over"))
        else:
            command, wait = self.tour.next()
            self.start_command(command)
            self.tour_timer = self.set_timer(wait, self._tour_on)

    def _hold_tour(self) -> None:
        if self.tour_timer is not None and self.tour is not None:
            self.tour_timer.stop()
            self.tour_timer = None
            self.tell(Outcome(True, f"the tour waits at {self.tour.progress}; t goes on with it"))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Any key takes over from a tour; while the prompt is open, all keys are typed there."""
        if self.command_line.is_open:
            return False
        if self.tour_timer is not None and action != "tour":
            self._hold_tour()
        return super().check_action(action, parameters)

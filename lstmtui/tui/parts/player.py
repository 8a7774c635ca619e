"""Plays: one timestep after another, by the clock."""

from __future__ import annotations

from collections.abc import Callable

from textual.screen import Screen
from textual.timer import Timer

from lstmtui.session import Command, Outcome, Session
from lstmtui.session.execute import execute

SPEEDS = (1, 2, 5, 10, 20, 50)
"""Timesteps per second while playing."""
_STEP = Command("step", (1,), "step")


class Player:
    """Steps until it is paused or there are no more timesteps.

    Args:
        session: what is stepped through.
        screen: has the clock.
        is_behind: whether the screen does not show yet where the session is: time waits for it.
        report: shows the outcome of each step.
    """

    def __init__(
        self,
        session: Session,
        screen: Screen[None],
        is_behind: Callable[[], bool],
        report: Callable[[Outcome], None],
    ) -> None:
        self._session, self._screen, self._is_behind, self._report = session, screen, is_behind, report
        self._timer: Timer | None = None
        self.level = SPEEDS.index(5)
        """The position in `SPEEDS`."""

    @property
    def speed(self) -> int:
        """Timesteps per second."""
        return SPEEDS[self.level]

    @property
    def is_playing(self) -> bool:
        """Whether the cursor moves by itself."""
        return self._timer is not None

    def toggle(self) -> None:
        """Play, or pause."""
        self.pause() if self.is_playing else self.play()

    def play(self) -> None:
        """Go on by itself from now."""
        self._timer = self._screen.set_interval(1 / self.speed, self._tick)

    def pause(self) -> None:
        """Stay."""
        if self._timer is not None:
            self._timer.stop()
            self._timer = None

    def faster(self, by: int) -> None:
        """Another of the speeds there are, also while it plays."""
        self.level = min(max(self.level + by, 0), len(SPEEDS) - 1)
        if self.is_playing:
            self.pause()
            self.play()

    def _tick(self) -> None:
        if self._is_behind():
            return
        outcome = execute(self._session, _STEP)
        if outcome.stop is None or outcome.stop.kind != "step":
            self.pause()
        self._report(outcome)

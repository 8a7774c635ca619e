"""How far a recording has come, reported to a callback."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

ProgressCallback = Callable[[int, int], None]
"""Called with (timesteps done, timesteps in all); raises `lstmtui.Cancelled` to stop the recording."""


@dataclass
class Progress:
    """Counts timesteps, each once forward and once backward in every layer and direction."""

    callback: ProgressCallback | None = None
    total: int = 0
    done: int = 0
    _is_counted: bool = False
    """Whether recurrent layers have said how many timesteps they have."""

    def expect(self, timesteps: int) -> None:
        """Add timesteps that are still to come."""
        if not self._is_counted:
            self.total = self.done = 0
        self._is_counted = True
        self.total += timesteps

    def advance(self, timesteps: int) -> None:
        """Count timesteps as done and call the callback, which may raise `Cancelled`."""
        self.done += timesteps
        if self.callback is not None:
            self.callback(min(self.done, self.total), self.total)

    def reach(self, done: int, total: int) -> None:
        """Report a timestep of code whose timesteps are not counted beforehand, by the callback.

        Args:
            done: how many were before it.
            total: how many there may be, as far as that can be told.
        """
        if not self._is_counted:
            self.done = max(self.done, done)
            self.total = max(self.total, total, self.done)
        if self.callback is not None:
            self.callback(min(self.done, self.total), self.total)

    def finish(self) -> None:
        """Report the end; any timesteps left were not needed, as the loss does not depend on their layer."""
        if self.done < self.total:
            self.advance(self.total - self.done)

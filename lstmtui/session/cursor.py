"""Where the debugger stands."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cursor:
    """A place in a run: everything a panel needs to know what to show."""

    model: str
    t: int = 0
    """The timestep, 0 to T−1."""
    layer: int = 0
    direction: str = "forward"
    batch: int = 0
    """Which sequence of the batch."""
    unit: int = 0
    stage: int | None = None
    """Inside a timestep: the position in the cell's `stages` that was evaluated last; None: whole steps."""

"""Why the debugger stopped, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["step", "start", "end", "goto", "into", "out", "select", "breakpoint", "refused"]


@dataclass(frozen=True)
class Stop:
    """The outcome of a movement."""

    kind: Kind
    """step: a whole timestep; start, end: the run has no more; goto: a chosen t; into, out: inside a
    timestep and back; select: another model, layer, direction, batch or unit; breakpoint: one was hit;
    refused: nothing moved."""
    text: str
    """The same in a sentence."""
    breakpoints: tuple[int, ...] = ()
    """Which breakpoints were hit."""

    @property
    def ok(self) -> bool:
        """Whether the movement was possible."""
        return self.kind != "refused"

    @property
    def is_quiet(self) -> bool:
        """Whether a screen that shows the cursor needs no sentence to say where it went."""
        return self.kind in ("step", "into", "out", "goto")

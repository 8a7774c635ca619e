"""The progress of a run, on standard error if that is a terminal."""

from __future__ import annotations

import sys
from time import monotonic

from lstmtui.printable import printable


class ProgressLine:
    """A line on stderr that counts, ten times a second; call it with (model, timesteps done, in all)."""

    def __init__(self) -> None:
        self.last_shown = 0.0
        self.shown = sys.stderr.isatty()

    def __call__(self, model: str, done: int, total: int) -> None:
        self.show(f"{model}: {done:,} of {total:,} timesteps")

    def show(self, text: str) -> None:
        """Show a text, unless the last one is hardly there."""
        if self.shown and monotonic() - self.last_shown > 0.1:
            self.last_shown = monotonic()
            print(f"\r\x1b[K{printable(text)}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Leave the line empty."""
        if self.shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

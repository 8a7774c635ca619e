"""Recordings of a terminal that standard players play: asciicast, version 2.

A header and then one JSON array for each event, a line each: [seconds, code, data]. The code is "o" for
output and "m" for a marker, with which players list and jump to what a recording shows.
https://docs.asciinema.org/manual/asciicast/v2/
"""

from __future__ import annotations

import json
from typing import BinaryIO

from lstmtui.printable import printable

_BEGIN = "\x1b[0m\x1b[?25l\x1b[2J\x1b[H"
"""Plain style, no cursor, an empty screen."""


class Cast:
    """A recording in the making, on a clock that only `wait` moves: the same calls give the same bytes.

    Args:
        title: of the recording.
        width: of the terminal, in columns.
        height: of the terminal, in rows.
    """

    def __init__(self, title: str, width: int = 120, height: int = 40) -> None:
        self._header = {
            "version": 2,
            "width": width,
            "height": height,
            "title": printable(title),
            "env": {"TERM": "xterm-256color", "COLORTERM": "truecolor"},
        }
        self._now = 0.0
        self._events: list[tuple[float, str, str]] = [(0.0, "o", _BEGIN)]

    def wait(self, seconds: float) -> None:
        """Let time pass in the recording."""
        self._now += seconds

    def output(self, text: str) -> None:
        """Send something to the terminal."""
        if text:
            self._add("o", text)

    def mark(self, text: str) -> None:
        """Put a marker here."""
        self._add("m", printable(text))

    def write(self, file: BinaryIO) -> None:
        """Write the recording; its last event is empty output, so that players stay on the last picture."""
        for line in (self._header, *self._events, (round(self._now, 6), "o", "")):
            file.write(json.dumps(line, allow_nan=False).encode("ascii") + b"\n")

    def _add(self, code: str, data: str) -> None:
        self._events.append((round(self._now, 6), code, data))

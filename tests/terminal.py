"""A terminal to test in: what bytes look like once drawn, and a real program in a real pty."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Sequence
from time import monotonic
from typing import TypeAlias

import pyte

Picture: TypeAlias = list[list[tuple[object, ...]]]
"""Every cell: its character, its colours and its attributes."""

_NOT_FOR_PYTE = re.compile(r"\x1b\[[<>=][0-9;]*[a-zA-Z]|\x1b\[\?[0-9;$]*p|\x1b\[[0-9;]*t")
"""Sequences every terminal knows and pyte would show as text."""


class Terminal:
    """Draws output on a screen of characters."""

    def __init__(self, width: int, height: int) -> None:
        self.screen = pyte.Screen(width, height)
        self._stream = pyte.Stream(self.screen)

    def feed(self, output: str) -> None:
        """Obey the output."""
        self._stream.feed(_NOT_FOR_PYTE.sub("", output))

    def resize(self, width: int, height: int) -> None:
        """Take another size; what does not fit is lost."""
        self.screen.resize(height, width)

    @property
    def text(self) -> str:
        """The screen as lines."""
        return "\n".join(self.screen.display)

    @property
    def picture(self) -> Picture:
        """The screen with its colours."""
        size = range(self.screen.columns)
        return [[tuple(self.screen.buffer[y][x]) for x in size] for y in range(self.screen.lines)]


def visible(output: str) -> str:
    """The output without escape sequences."""
    return re.sub(
        r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[=>78cM]|P[^\x1b]*\x1b\\)", "", output
    )


class Program:
    """`python -m lstmtui …` in a pty; use as a context manager.

    Args:
        arguments: of lstmtui.
        size: (width, height) of the terminal.
        environment: changes to this process's variables; None removes one.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        size: tuple[int, int] = (120, 40),
        environment: dict[str, str | None] | None = None,
    ) -> None:
        self.terminal = Terminal(*size)
        self.written = b""
        self._decoded = 0
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        changes = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "NO_COLOR": None} | (environment or {})
        variables = {k: v for k, v in {**os.environ, **changes}.items() if v is not None}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "lstmtui", *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=variables,
            start_new_session=True,
            close_fds=True,
        )
        os.close(slave)

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        os.close(self._master)

    def send(self, keys: str) -> None:
        """Type."""
        os.write(self._master, keys.encode())

    def resize(self, width: int, height: int) -> None:
        """Give the terminal another size."""
        self.terminal.resize(width, height)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        os.killpg(self.process.pid, signal.SIGWINCH)

    def read(self, quiet: float = 0.05, limit: float = 20.0) -> bytes:
        """What the program writes until it has been quiet for so many seconds, or has ended."""
        taken = b""
        end = monotonic() + limit
        while monotonic() < end:
            ready, _, _ = select.select([self._master], [], [], quiet)
            if not ready:
                break
            try:
                data = os.read(self._master, 1 << 16)
            except OSError:
                break
            if not data:
                break
            taken += data
        self.written += taken
        self._draw()
        return taken

    def wait_for(self, text: str, limit: float = 30.0) -> str:
        """Read until the text is on screen, and return the screen."""
        end = monotonic() + limit
        while text not in self.terminal.text:
            ended = self.process.poll() is not None
            self.read(limit=limit)
            if (ended or monotonic() > end) and text not in self.terminal.text:
                raise AssertionError(f"{text!r} did not appear:\n{self.terminal.text}")
        return self.terminal.text

    def end(self, limit: float = 20.0) -> int:
        """Wait for the program to end and return its exit status."""
        stop = monotonic() + limit
        while self.process.poll() is None and monotonic() < stop:
            self.read(limit=1)
        self.read()
        return self.process.wait(timeout=1)

    def _draw(self) -> None:
        text = self.written[self._decoded :].decode("utf-8", "ignore")
        cut = _cut_short(text)
        self.terminal.feed(text[:cut])
        self._decoded += len(text[:cut].encode())


def _cut_short(text: str) -> int:
    """Where a sequence begins that has not arrived in full, or the end."""
    at = text.rfind("\x1b")
    return at if at >= 0 and visible(text[at:]).startswith("\x1b") else len(text)

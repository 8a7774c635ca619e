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


QUESTION = b"\x1b]11;?\x1b\\\x1b[c"
"""What the colour of the background is, and which terminal this is."""


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
    def modes(self) -> set[int]:
        """What is switched on: private modes by their numbers."""
        return {mode >> 5 for mode in self.screen.mode if mode >= 32}

    @property
    def picture(self) -> Picture:
        """The screen with its colours; of a space what can be seen."""
        size = range(self.screen.columns)
        return [[_seen(self.screen.buffer[y][x]) for x in size] for y in range(self.screen.lines)]


def _seen(cell: pyte.screens.Char) -> tuple[object, ...]:
    if cell.data == " " and not (cell.underscore or cell.strikethrough or cell.reverse or cell.blink):
        cell = cell._replace(fg="default", bold=False, italics=False)
    return tuple(cell)


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
        program: what Python runs with the arguments.
        background: what the terminal answers when it is asked for the colour of its background.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        size: tuple[int, int] = (120, 40),
        environment: dict[str, str | None] | None = None,
        program: Sequence[str] = ("-m", "lstmtui"),
        background: bytes = b"",
    ) -> None:
        self.background = background
        self.terminal = Terminal(*size)
        self.written = b""
        self._decoded = 0
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        changes: dict[str, str | None] = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
        changes |= dict.fromkeys(("NO_COLOR", "COLUMNS", "LINES", "TEXTUAL_COLOR_SYSTEM"))
        changes |= environment or {}
        variables = {k: v for k, v in {**os.environ, **changes}.items() if v is not None}
        self.process = subprocess.Popen(
            [sys.executable, *program, *arguments],
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
        self.hang_up()

    def hang_up(self) -> None:
        """Take the terminal away, as a lost link does where no signal tells of it."""
        if self._master >= 0:
            os.close(self._master)
            self._master = -1

    @property
    def attributes(self) -> list[object]:
        """How the terminal treats what is typed and written (termios)."""
        return termios.tcgetattr(self._master)

    @property
    def foreground(self) -> int:
        """The process group that has the terminal; it must be the controlling terminal of someone."""
        return os.tcgetpgrp(self._master)

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
        before = len(self.written)
        end = monotonic() + limit
        while monotonic() < end and self._take(quiet):
            pass
        return self.written[before:]

    def answer(self, quiet: float, limit: float = 5.0) -> tuple[int, float]:
        """How many bytes come until it is quiet for so many seconds, and when the last came."""
        before, last = len(self.written), monotonic()
        end = last + limit
        timeout = limit
        while self._has_more(min(timeout, end - monotonic())):
            self.written += os.read(self._master, 1 << 16)
            last, timeout = monotonic(), quiet
        return len(self.written) - before, last

    def wait_for(self, pattern: str, *, gone: bool = False, limit: float = 30.0) -> str:
        """Read until the screen matches (or, `gone`, no longer matches), and return the screen."""
        end = monotonic() + limit
        while bool(re.search(pattern, self.terminal.text)) == gone:
            if monotonic() > end or not self._take(end - monotonic()):
                said = "did not go away" if gone else "did not appear"
                raise AssertionError(f"{pattern!r} {said}:\n{self.terminal.text}")
        return self.terminal.text

    def end(self, limit: float = 20.0) -> int:
        """Wait for the program to end and return its exit status."""
        stop = monotonic() + limit
        while self.process.poll() is None and monotonic() < stop:
            self.read(limit=1)
        self.read()
        return self.process.wait(timeout=1)

    def _has_more(self, timeout: float) -> bool:
        """Whether anything comes within so many seconds, or the program ends."""
        poll = select.poll()  # select.select takes no descriptor above 1,023
        poll.register(self._master, select.POLLIN)
        return bool(poll.poll(max(0.0, timeout) * 1e3))

    def _take(self, timeout: float) -> bool:
        """Read what is there, and draw it; False when nothing came, or the program has ended."""
        if not self._has_more(timeout):
            return False
        try:
            data = os.read(self._master, 1 << 16)
        except OSError:
            return False
        self.written += data
        if QUESTION in data:
            os.write(self._master, self.background + b"\x1b[?62c")
        self._draw()
        return bool(data)

    def _draw(self) -> None:
        text = self.written[self._decoded :].decode("utf-8", "ignore")
        cut = _cut_short(text)
        self.terminal.feed(text[:cut])
        self._decoded += len(text[:cut].encode())


def _cut_short(text: str) -> int:
    """Where a sequence begins that has not arrived in full, or the end."""
    at = text.rfind("\x1b")
    return at if at >= 0 and visible(text[at:]).startswith("\x1b") else len(text)

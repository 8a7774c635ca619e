"""Leaving the terminal as it was, however the program ends: a signal, a lost link, an exception.

Textual restores the terminal where an app ends by itself. A signal would end the process before that, and
on a terminal that has gone Textual reads the end of input again and again. Here both end the app, and where
the app does not end in time (its output is stuck, a thread computes), the process.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread, main_thread
from threading import current_thread as this_thread
from typing import Any

from textual.app import App

from lstmtui.tui.compat import event_loop

SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
TEXTUALS = (signal.SIGTSTP, signal.SIGCONT, signal.SIGWINCH, signal.SIGTTIN, signal.SIGTTOU)
"""Signals that Textual's driver handles, also when its app has ended."""

RESTORE = (
    "\x18"  # whatever sequence was cut short
    "\x1b[?2026l\x1b[?2048l"  # updates are shown at once, sizes are not told
    "\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1015l\x1b[?1016l\x1b[?1006l"  # the mouse
    "\x1b[?2004l\x1b[?1004l"  # pastes and focus are not told
    "\x1b[?7h\x1b[<u\x1b[m\x1b[?1049l\x1b[?25h"  # wrap, usual keys, style, screen and cursor
)
"""What makes a terminal usable again."""
AFTERWARDS = "\x1b[?1016l\x1b[m"
"""What Textual leaves behind."""

PATIENCE = 1.0
"""Seconds in which the app may end by itself."""
_LAST_WORDS = 0.3
"""Seconds for the terminal to take `RESTORE`."""


@contextmanager
def leaving_cleanly(app: App[Any]) -> Iterator[WayOut]:
    """While an app runs: signals and a terminal that goes end it, and the terminal is as before afterwards.

    The exit status is then 128 and the signal's number, as of a program that does not handle it; it is the
    `status` of what this gives, whatever fails while the app is taken apart.
    """
    way_out = WayOut(app)
    handlers = {}
    if this_thread() is main_thread():
        handlers = {number: signal.getsignal(number) for number in (*SIGNALS, *TEXTUALS)}
        for number in SIGNALS:
            signal.signal(number, way_out.take)
    Thread(target=way_out.watch, daemon=True, name="terminal-watch").start()
    try:
        yield way_out
    except Exception:
        if way_out.status is None:
            raise
        traceback.print_exc()
    finally:
        with suppress(OSError, ValueError):
            way_out.write(AFTERWARDS)
        for number, handler in handlers.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        way_out.ended.set()


class WayOut:
    """Ends an app, or else the process."""

    def __init__(self, app: App[Any]) -> None:
        self._app = app
        self._out = sys.__stderr__.fileno() if sys.__stderr__ else 2
        self._in = sys.__stdin__.fileno() if sys.__stdin__ else 0
        self._before: list[Any] | None = None
        with suppress(termios.error):
            self._before = termios.tcgetattr(self._in)
        self.ended = Event()
        self.status: int | None = None
        """The exit status, where a signal or the terminal asked the app to end."""

    def take(self, number: int, _frame: object) -> None:
        """A signal came: end."""
        self.leave(128 + number)

    def watch(self) -> None:
        """Wait for the terminal to go away, as with a link that is lost; a signal need not come."""
        poll = select.poll()
        poll.register(self._in, 0)  # that it has gone is told in any case
        while not self.ended.is_set():
            for _, events in poll.poll(1000):
                if events & (select.POLLHUP | select.POLLERR):
                    self.leave(128 + signal.SIGHUP)
                return  # or this system cannot tell

    def leave(self, status: int) -> None:
        """Ask the app to end, and see to it that the process does."""
        self.status = status
        Thread(target=self._insist, args=(status,), daemon=True, name="terminal-leave").start()
        loop = event_loop(self._app)
        if loop is not None:
            with suppress(RuntimeError):  # it has just been closed
                loop.call_soon_threadsafe(self._app.exit, None, status)

    def _insist(self, status: int) -> None:
        if self.ended.wait(PATIENCE):
            return
        with suppress(termios.error):
            if self._before is not None:
                termios.tcsetattr(self._in, termios.TCSANOW, self._before)
        writer = Thread(target=self._restore, daemon=True)
        writer.start()
        writer.join(_LAST_WORDS)  # a terminal that takes nothing would hold the process for ever
        os._exit(status)

    def _restore(self) -> None:
        with suppress(OSError):
            self.write(RESTORE)

    def write(self, sequences: str) -> None:
        """Write to the terminal, round what Textual has queued."""
        if os.isatty(self._out):
            os.write(self._out, sequences.encode())

"""The debugger on a screen that nobody sees, for pictures and recordings: 24-bit colour at a fixed size."""

from __future__ import annotations

import asyncio
import os
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from time import monotonic
from types import TracebackType

# Textual reads these when it is imported; a picture does not depend on the terminal it is made in.
os.environ.update(TEXTUAL_COLOR_SYSTEM="truecolor", TEXTUAL_ANIMATIONS="none")
os.environ.pop("NO_COLOR", None)

from textual.pilot import Pilot
from textual.strip import Strip

from lstmtui.session import Command, Outcome, Session
from lstmtui.session.execute import execute
from lstmtui.session.verbs import VERBS
from lstmtui.tui.app import LstmtuiApp
from lstmtui.tui.compat import LayoutUpdate, whole_screen
from lstmtui.tui.difference import Frame
from lstmtui.tui.screens.debugger import DebuggerScreen
from lstmtui.tui.screens.dialog import Dialog
from lstmtui.tui.screenshot import picture
from lstmtui.tui.start import Start

SIZE = (120, 40)
"""Columns and rows."""

_MOST_ROUNDS = 50
"""After so many rounds of drawing the screen is taken as it is."""
_SAME_ROUNDS = 3
"""So many rounds that draw the same end the wait."""
_TURNS = 40
"""Turns of the event loop in which messages find their way through the widgets."""
_FRAME = 0.02
"""Seconds."""
_LONGEST_WAIT = 60.0
"""Seconds to wait for remote arrays; after that the screen is taken as it is."""


class HeadlessDebugger:
    """A session on a screen that nobody sees; use as a context manager, where no event loop runs.

    While it is open, `sys.stdout` and `sys.stderr` are the app's: keep the real ones to print on.

    Args:
        session: what is shown; commands change it.
        size: (columns, rows).
    """

    def __init__(self, session: Session, size: tuple[int, int] = SIZE) -> None:
        self._session, self._size = session, size
        self._frame = Frame()
        self._runner = asyncio.Runner()

    def __enter__(self) -> HeadlessDebugger:
        self._app = LstmtuiApp(Start(session=self._session, backend=self._session.backend))
        # Each call runs the app's event loop for as long as it needs, in one context.
        self._running: AbstractAsyncContextManager[Pilot[None]] = self._app.run_test(size=self._size)
        self._pilot = self._runner.run(self._running.__aenter__())
        self._runner.run(self._settle())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._runner.run(self._running.__aexit__(None, None, None))
        finally:
            self._runner.close()

    def run(self, command: Command) -> Outcome:
        """Execute a command, and show what came of it; files are left to be written."""
        # Not on the event loop, which may not wait for remote arrays.
        outcome = execute(self._session, command)
        self._runner.run(self._take(command, outcome))
        return outcome

    def picture(self) -> str:
        """What is on screen, as SVG with the title of what is debugged."""
        self._runner.run(self._settle())
        return picture(self._app, self._session)

    def changes(self) -> str:
        """What a terminal is sent so that it shows what is on screen, after what it was sent before.

        It depends on what is on screen at these two moments only, not on how it was drawn in between.
        """
        return self._frame.encode(self._runner.run(self._settle()), self._app.console)

    @property
    def _screen(self) -> DebuggerScreen:
        return next(s for s in self._app.screen_stack if isinstance(s, DebuggerScreen))

    async def _take(self, command: Command, outcome: Outcome) -> None:
        if not VERBS[command.verb].takes_picture:  # a picture does not show that it was taken
            if isinstance(self._app.screen, Dialog):
                await self._app.screen.dismiss()
            # Whoever plays writes the files, and the screen stays until it is closed.
            shows = VERBS[command.verb].is_harmless
            self._screen.finish_command(command, outcome if shows else replace(outcome, request=None))

    async def _settle(self) -> LayoutUpdate:
        """Wait until everything that is under way has been drawn, and return the whole screen."""
        shown, same, rounds = whole_screen(self._app), 0, 0
        latest = monotonic() + _LONGEST_WAIT
        while rounds < _MOST_ROUNDS:
            for _ in range(_TURNS):
                await asyncio.sleep(0)
            # The app draws by timers of 1/60 s; sleeping longer lets them go first, however slow all is.
            await asyncio.sleep(_FRAME)
            if self._screen.is_behind and monotonic() < latest:
                continue
            rounds += 1
            before, shown = shown, whole_screen(self._app)
            same = same + 1 if _strips(shown) == _strips(before) else 0
            if same == _SAME_ROUNDS:
                break
        return shown


def _strips(update: LayoutUpdate) -> list[list[Strip]]:
    return [list(line) for line in update.strips]

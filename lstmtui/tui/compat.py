"""Everything that is used of Textual's private parts; no other file uses them."""

from __future__ import annotations

import os
import signal
import sys
from asyncio import AbstractEventLoop, get_running_loop
from contextlib import suppress
from typing import Any

from rich.console import RenderableType
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.app import App
from textual.driver import Driver
from textual.events import Resize
from textual.geometry import Size
from textual.keys import _character_to_key as character_name
from textual.screen import Screen
from textual.widget import Widget

__all__ = [
    "ChopsUpdate",
    "CompositorUpdate",
    "LayoutUpdate",
    "UpdatesApp",
    "character_name",
    "event_loop",
    "is_ending",
    "lay_out",
    "whole_screen",
    "write_to_terminal",
]

if sys.platform != "win32":
    import termios

    from textual.drivers.linux_driver import LinuxDriver

    class ContinuedDriver(LinuxDriver):
        """Takes the terminal back after SIGSTOP, before which it cannot be given back as it is for SIGTSTP.

        Starting anew, as Textual does on every SIGCONT, would leave a second thread that reads keys, and
        keep the raw attributes of the terminal as those to restore at the end.
        """

        _attributes: list[Any] | None = None
        _modes = ""
        """What was written to begin."""
        _is_starting = False

        def start_application_mode(self) -> None:
            # By the loop: it wakes whichever thread the signal interrupts, and nothing is half written then.
            get_running_loop().add_signal_handler(signal.SIGCONT, self._go_on)
            self._modes, self._is_starting = "", True
            try:
                super().start_application_mode()  # type: ignore[no-untyped-call]
            finally:
                self._is_starting = False
            with suppress(termios.error):
                self._attributes = termios.tcgetattr(self.fileno)

        def write(self, data: str) -> None:
            if self._is_starting:
                self._modes += data
            super().write(data)

        def _go_on(self) -> None:
            if self._must_signal_resume or not self._auto_restart:
                self._sigcont_application()
            elif not self._is_in_foreground():
                os.kill(os.getpid(), signal.SIGSTOP)  # until a shell continues it there
            elif not is_ending(self._app):
                self._take_terminal_back()

        def _is_in_foreground(self) -> bool:
            """Whether the terminal is this process's; where nobody controls jobs, it is."""
            try:
                return os.tcgetpgrp(self.fileno) == os.getpgrp()
            except OSError:
                return True

        def _take_terminal_back(self) -> None:
            """Set the attributes and modes again, and have everything drawn again."""
            with suppress(termios.error):
                if self._attributes is not None:
                    termios.tcsetattr(self.fileno, termios.TCSANOW, self._attributes)
            self.write("\x1b[<u\x1b[?1049l" + self._modes)
            size = Size(*self._get_terminal_size())
            self._app.post_message(Resize(size, size))


def is_ending(app: App[Any]) -> bool:
    """Whether an app has been asked to end: its screens may be gone."""
    return app._exit


def event_loop(app: App[Any]) -> AbstractEventLoop | None:
    """The loop that an app runs in; None before it runs."""
    return app._loop


def write_to_terminal(app: App[Any], sequence: str) -> None:
    """Send a sequence that draws nothing, after what the app has sent before."""
    driver: Driver | None = app._driver
    if driver is not None:
        driver.write(sequence)
        driver.flush()


def lay_out(screen: Screen[Any]) -> None:
    """Give every widget of a screen its size now, where Textual would do it before it draws next."""
    for widget in screen.walk_children(Widget, with_self=True):
        widget._clear_arrangement_cache()  # which a widget whose style was set does when it is idle
    screen._refresh_layout(screen.app.size)


def whole_screen(app: App[Any]) -> LayoutUpdate:
    """Everything that is on screen."""
    update = app.screen._compositor.render_update(full=True, screen_stack=app._background_screens)
    assert isinstance(update, LayoutUpdate)
    return update


class UpdatesApp(App[None]):
    """An app that may change what is sent to the terminal, and can be stopped and continued from outside."""

    _has_unsent = False
    """Whether an update was drawn, and thrown away, while updates were held back."""

    def get_driver_class(self) -> type[Driver]:
        """What writes to the terminal: Textual's for this system, which survives SIGSTOP here."""
        driver_class = super().get_driver_class()
        if sys.platform != "win32" and driver_class is LinuxDriver:
            return ContinuedDriver
        return driver_class

    def outgoing(self, update: CompositorUpdate) -> CompositorUpdate:
        """What is sent in place of an update of a part of the screen, or of all of it."""
        return update

    def _display(self, screen: Screen[object], renderable: RenderableType | CompositorUpdate | None) -> None:
        # Markdown holds updates back while it waits, and what Textual draws meanwhile is never drawn again.
        self._has_unsent |= renderable is not None and self._batch_count > 0
        if isinstance(renderable, CompositorUpdate) and not self.is_inline:
            renderable = self.outgoing(renderable)
        super()._display(screen, renderable)  # type: ignore[arg-type]

    def _end_batch(self) -> None:
        super()._end_batch()
        if self._has_unsent and not self._batch_count and self.screen_stack:
            self._has_unsent = False
            self.screen.refresh()

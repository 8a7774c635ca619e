"""Everything that is used of Textual's private parts; no other file uses them."""

from __future__ import annotations

from asyncio import AbstractEventLoop
from typing import Any

from rich.console import RenderableType
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.app import App
from textual.driver import Driver
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
    """An app that may change what is sent to the terminal."""

    def outgoing(self, update: CompositorUpdate) -> CompositorUpdate:
        """What is sent in place of an update of a part of the screen, or of all of it."""
        return update

    def _display(self, screen: Screen[object], renderable: RenderableType | CompositorUpdate | None) -> None:
        if isinstance(renderable, CompositorUpdate) and not self.is_inline:
            renderable = self.outgoing(renderable)
        super()._display(screen, renderable)  # type: ignore[arg-type]

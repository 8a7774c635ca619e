"""The Textual app: it composes screens, routes messages, and owns nothing else."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.binding import BindingType
from textual.driver import Driver
from textual.events import Event, InputEvent, Key, Paste
from textual.message import Message
from textual.screen import Screen

from lstmtui.session import Session, saved_state
from lstmtui.trace import Trace, Traces
from lstmtui.trace.growth import LIVE_STATE
from lstmtui.tui.command_line import PromptInput
from lstmtui.tui.compat import is_ending
from lstmtui.tui.difference import DifferenceApp
from lstmtui.tui.entries import Run, entries
from lstmtui.tui.panels.panel import Panel
from lstmtui.tui.screens.debugger import DebuggerScreen
from lstmtui.tui.screens.help import HelpScreen
from lstmtui.tui.screens.losing import LosingScreen
from lstmtui.tui.screens.opening import OpeningScreen
from lstmtui.tui.screens.picker import PickerScreen
from lstmtui.tui.screens.topic import PanelHelpScreen
from lstmtui.tui.start import COURSE_GROUP, Choice, Opening, Start
from lstmtui.tui.theme import Ground, Look, theme_of


class LstmtuiApp(DifferenceApp):
    """The debugger in a terminal.

    Args:
        start: what to show first.
        ascii: nothing but ASCII on screen.
        ground: whether the background is light, and the user's own colours.
        driver_class: what writes to the terminal; left out: the one for this system.
    """

    CSS_PATH = "app.tcss"
    TITLE = "lstmtui"
    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False
    """y copies; Textual fails on a click where text that can be selected is being replaced."""
    BINDINGS: ClassVar[list[BindingType]] = []

    class News(Message):
        """An answer has arrived from the remote side, or something is wrong with the link."""

        def can_replace(self, message: Message) -> bool:
            """One is enough for all that has happened."""
            return isinstance(message, type(self))

    def __init__(
        self,
        start: Start,
        *,
        ascii: bool = False,
        ground: Ground = (False, ()),
        driver_class: type[Driver] | None = None,
    ) -> None:
        # Without colour Textual is to leave styles alone; its monochrome filter would write greys.
        super().__init__(driver_class, ansi_color=True if os.environ.get("NO_COLOR") else None)
        self.start = start
        self._follower = start.follower
        self._goes_on = False
        """Whether the lesson that is being opened begins at once."""
        self.look = Look.detect(None if self.no_color else self.console.color_system, ascii, ground)
        self._ground = ground
        self._use_theme()
        self.set_class(ascii, "-ascii")

    def _use_theme(self) -> None:
        theme = theme_of(self.look)
        self.register_theme(theme)
        self.theme = theme.name

    def action_show_theme(self, name: str) -> None:
        """Use the colours for a dark or a light background, or those of the start."""
        light, colors = self._ground if name == "auto" else (name == "light", ())
        self.look = replace(self.look, light=light, colors=colors)
        self._use_theme()
        for screen in self.screen_stack:
            for widget in screen.walk_children(with_self=True):
                if isinstance(getattr(widget, "look", None), Look):
                    widget.look = self.look  # type: ignore[attr-defined]
            if isinstance(screen, DebuggerScreen):
                screen.panels.forget()
                screen.show_session()

    async def on_event(self, event: Event) -> None:
        """A key may close the prompt: the next one waits until it has been taken. After the end none is."""
        if is_ending(self) and isinstance(event, (InputEvent, Paste)):
            return  # there may be no screen that could take it
        typed = self.focused if isinstance(event, Key) and not event.is_forwarded else None
        await super().on_event(event)
        if isinstance(typed, PromptInput):
            await typed.caught_up()

    def on_mount(self) -> None:
        """Show the first screen."""
        if self.start.session is not None:
            self._show(self.start.session)
        elif self.start.traces is not None:
            self.walk(self.start.traces, self.start.place)
        elif self.start.opening is not None:
            self.open(self.start.opening)
        else:
            self.action_pick()

    def walk(self, traces: Trace | Traces, place: Path | str | None = None) -> None:
        """Debug recorded traces, in place of what is on screen, with what was kept for their place."""
        session = Session(traces, self.start.engine, self.start.backend)
        session.is_attended = True
        if place is not None:
            saved_state.load(session, place)
        self._show(session, place)

    def _show(self, session: Session, place: Path | str | None = None) -> None:
        # A follower is that of the first traces, not of others picked later.
        follower, self._follower = self._follower, None
        if self.start.backend is not None:
            self.start.backend.on_update = self._post_news
        if follower is not None and not self.start.follow and follower.state != LIVE_STATE:
            follower = None
        course = self._course(place)
        screen = DebuggerScreen(session, self.look, place, follower, follow=self.start.follow, course=course)
        self._replace(screen)
        if course and self._goes_on:
            self._goes_on = False
            screen.call_after_refresh(screen.lesson.guide.toggle)
        # What is there now stays: looking through all of it for garbage again and again would cost one
        # step in twenty an extra 20 ms.
        self.screen.call_after_refresh(gc.freeze)

    def _post_news(self) -> None:
        """Post that answers came; called from any thread, even when the app is about to end."""
        with suppress(RuntimeError):  # its event loop is closed
            self.post_message(self.News())

    @on(News)
    def _draw_news(self) -> None:
        for screen in self.screen_stack:
            if isinstance(screen, DebuggerScreen):
                screen.presenter.answers_came()

    def on_unmount(self) -> None:
        """Nobody looks any more."""
        if self.start.backend is not None:
            self.start.backend.on_update = None

    def open(self, opening: Opening) -> None:
        """Record off the event loop, with progress, then debug."""

        def opened(traces: Traces | Trace | None) -> None:
            if traces is not None:
                self.walk(traces, opening.place)
            elif not isinstance(self.screen, DebuggerScreen):
                self.action_pick()

        self.push_screen(OpeningScreen(opening, self.look), opened)

    def action_pick(self) -> None:
        """Pick a scenario from the list."""

        def picked(path: Path | None) -> None:
            if path is not None and self.start.opener is not None:
                self._open_choice(path)
            elif not isinstance(self.screen, DebuggerScreen):
                self.exit()

        if self.start.choices:
            self.push_screen(PickerScreen(self.start.choices, self.look), picked)
        elif not isinstance(self.screen, DebuggerScreen):
            self.exit()

    def _open_choice(self, path: Path) -> None:
        opener = self.start.opener
        if opener is not None:
            self._unless_lost("open another", lambda: self.open(self._opening(path, opener)))

    def action_next_lesson(self) -> None:
        """Open the lesson after the one on screen, and begin it."""
        screen, opener = self.screen, self.start.opener
        if isinstance(screen, DebuggerScreen) and screen.lesson.next is not None and opener is not None:
            path = screen.lesson.next.path

            def go_on() -> None:
                self._goes_on = True
                self.open(self._opening(path, opener))

            self._unless_lost("open the next lesson", go_on)

    async def action_quit(self) -> None:
        """Leave, but not without a question where something is lost."""
        self._unless_lost("quit", self.exit)

    def _unless_lost(self, doing: str, do: Callable[[], None]) -> None:
        """Do what ends the debugging that is on screen; where what-ifs are lost by that, ask first.

        Asked for once more, in place of an answer, it is done.
        """
        screens = (screen for screen in self.screen_stack if isinstance(screen, DebuggerScreen))
        lost = next((screen.losable for screen in screens), ())
        if not lost or isinstance(self.screen, LosingScreen):
            do()
        else:
            self.push_screen(LosingScreen(self.look, doing, lost), lambda goes_on: do() if goes_on else None)

    def _course(self, place: Path | str | None) -> Sequence[Choice]:
        """The lesson at a place, and those after it; nothing where it is none of the course."""
        lessons = [choice for choice in self.start.choices if choice.group == COURSE_GROUP]
        at = next((at for at, lesson in enumerate(lessons) if _same(lesson.path, place)), len(lessons))
        return lessons[at:]

    def action_help(self, *, is_palette: bool = False) -> None:
        """Tell of the panel with the focus, else list keys, commands and all that can be done."""
        actor = self.screen if isinstance(self.screen, DebuggerScreen) else None
        if actor is not None and isinstance(actor.focused, Panel) and not is_palette:
            self.push_screen(PanelHelpScreen(self.look, f"Panel {actor.focused.key}"), self._list_all)
        else:
            self._list_all(True, is_palette=is_palette)

    def _list_all(self, is_wanted: bool | None, *, is_palette: bool = False) -> None:
        if not is_wanted:
            return
        actor = self.screen if isinstance(self.screen, DebuggerScreen) else None
        listed = entries(self.look, actor, self.start.choices, self._open_choice)

        def chosen(run: Run | None) -> None:
            if run is not None:
                self.call_later(run)

        self.push_screen(HelpScreen(self.look, listed, is_palette=is_palette), chosen)

    def action_everything(self) -> None:
        """List keys, commands and all that can be done."""
        self._list_all(True)

    def action_palette(self) -> None:
        """Open the help with the filter focused, so that words can be typed at once."""
        self.action_help(is_palette=True)

    def _opening(self, path: Path, opener: Callable[[Path], Opening]) -> Opening:
        """The opening of a choice; reading its file is part of the work, and so are the file's mistakes."""
        title = next((choice.title for choice in self.start.choices if choice.path == path), path.name)
        return Opening(title, lambda progress: opener(path).work(progress), path)

    def _replace(self, screen: Screen[None]) -> None:
        while isinstance(self.screen, DebuggerScreen):
            self.pop_screen()
        self.push_screen(screen)


def _same(path: Path, place: Path | str | None) -> bool:
    """Whether a scenario's file is that at a place."""
    return isinstance(place, Path) and path.resolve() == place.resolve()

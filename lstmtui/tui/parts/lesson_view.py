"""A lesson as it is seen: its band, which also invites to it, the keys it takes, and what comes after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from textual.app import App
from textual.timer import Timer

from lstmtui.expressions import open_vocabulary
from lstmtui.playback.lesson import pages_of
from lstmtui.printable import printable
from lstmtui.session import Command, Outcome, ScriptError, Session, Stop
from lstmtui.session.finished_lessons import keep_finished
from lstmtui.session.parse import parse_script
from lstmtui.tui.command_line import CommandLine
from lstmtui.tui.lesson_band import LessonBand
from lstmtui.tui.panels.panel_set import PanelSet
from lstmtui.tui.parts.command_runner import CommandRunner
from lstmtui.tui.parts.dialogue import Dialogue
from lstmtui.tui.parts.lesson_guide import LessonGuide
from lstmtui.tui.start import Choice
from lstmtui.tui.theme import Look

ANSWER = "answer "
"""What an answer begins with at the prompt."""


class Display(Protocol):
    """A screen that shows a session, as far as a lesson needs it."""

    session: Session
    look: Look
    place: Path | str | None
    message: Stop | None
    panels: PanelSet
    command_line: CommandLine
    dialogue: Dialogue
    runner: CommandRunner

    @property
    def app(self) -> App[Any]:
        """What opens the next lesson."""

    @property
    def is_behind(self) -> bool:
        """Whether it does not show yet where the session is."""

    def show_session(self) -> None:
        """Draw what changed."""

    def set_timer(self, delay: float, callback: Callable[[], None]) -> Timer:
        """Call something after so many seconds."""


class LessonView:
    """Shows a lesson in its band, and does what its keys ask for.

    Args:
        screen: where it is shown.
        course: the lesson that is offered, and those after it; empty: it is none of the course.
    """

    def __init__(self, screen: Display, course: Sequence[Choice]) -> None:
        self._screen = screen
        self.band = LessonBand(screen.session, screen.look, screen.panels)
        self.guide = LessonGuide(
            screen.session,
            screen.set_timer,
            lambda: screen.is_behind,
            screen.runner.start,
            self._show_page,
            screen.dialogue.show,
            self._keep_finished,
        )
        self.next = course[1] if len(course) > 1 else None
        """The lesson after this one."""
        self._invitation = course[0].title if course else ""
        self._pages = _page_count(screen.session) if course else 0

    @property
    def is_shown(self) -> bool:
        """Whether the band is on screen: a lesson is, or one is offered."""
        return self.guide.is_active or self._offers

    @property
    def _offers(self) -> bool:
        return bool(self._invitation and self._pages)

    def takes(self, what: str) -> bool:
        """Whether a key of the lesson means something now, before what it does otherwise."""
        guide = self.guide
        if what == "toggle":
            return True
        if not guide.is_active:
            return what == "next" and self._offers
        if what == "enter":
            return guide.waits_for_answer or (guide.is_last and self.next is not None)
        return True

    def key_was_pressed(self, action: tuple[object, ...]) -> None:
        """Any key holds a lesson that plays by itself, but the one that lets it play."""
        if self.guide.plays and action != ("lesson", "play"):
            self.guide.hold()
            self.show()

    @property
    def hints(self) -> tuple[tuple[str, str], ...]:
        """(the id of a key, what it does) of the keys that turn pages now; none without a lesson."""
        guide = self.guide
        if not guide.is_active:
            return ()
        enter = {"answer": guide.waits_for_answer, "next lesson": guide.is_last and self.next is not None}
        return (
            *((("lesson_next", "next"),) if not (guide.is_last or guide.waits_for_answer) else ()),
            *(("lesson_enter", what) for what, is_so in enter.items() if is_so),
            *((("lesson_back", "back"),) if guide.position else ()),
            *((("lesson_play", "hold" if guide.plays else "by itself"),) if not guide.is_last else ()),
            ("leave", "leave"),
        )

    async def act(self, what: str) -> None:
        """Do what a key of the lesson asks for."""
        guide, self._invitation = self.guide, ""
        if what == "toggle" or not guide.is_active:
            guide.toggle()
        elif what == "back":
            guide.back()
        elif what == "play":
            guide.play()
        elif guide.waits_for_answer:
            self._screen.command_line.open(ANSWER)
        elif not guide.is_last:
            guide.next()
        elif what == "enter":
            await self._screen.app.run_action("next_lesson")
        else:
            text = "enter opens the next lesson" if self.next else "esc leaves the lesson"
            self._screen.dialogue.show(Outcome(True, f"this was the last page; {text}"))

    def leave(self) -> None:
        """Leave the lesson, or decline it."""
        self._invitation = ""
        if self.guide.is_active:
            self.guide.leave()
        else:
            self.show()

    def took(self, command: Command, outcome: Outcome) -> bool:
        """Take the outcome of any command; returns whether the lesson shows it, so nobody else has to."""
        is_own = self.guide.is_executing(command)
        took = self.guide.took(command, outcome)
        if took and not is_own:
            self._screen.command_line.close()
        return took

    def show(self) -> None:
        """Draw the band as it is to be now."""
        width = self._screen.app.size.width
        if self.guide.is_active:
            self.band.show_page(self.guide, width, printable(self.next.title) if self.next else "")
        elif self._offers:
            self.band.invite(printable(self._invitation), self._pages, width)
        else:
            self.band.clear()

    def _keep_finished(self) -> None:
        """The lesson has been read to its end, which the list of scenarios shows."""
        if isinstance(self._screen.place, Path):
            keep_finished(self._screen.place)

    def _show_page(self) -> None:
        """A page was turned, and the session may be at something else altogether."""
        screen = self._screen
        screen.message = None
        screen.panels.forget()
        screen.show_session()


def _page_count(session: Session) -> int:
    try:
        return len(pages_of(parse_script(session.trace.header.script, "script", open_vocabulary())))
    except ScriptError:
        return 0

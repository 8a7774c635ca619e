"""The debugger's screen: every panel round one cursor, the keys that move it, and what these are given to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.events import ScreenResume, ScreenSuspend
from textual.reactive import var
from textual.widget import Widget

from lstmtui.session import Command, Outcome, ScriptError, Session, Stop, parse_line, saved_state
from lstmtui.session.completion import complete
from lstmtui.session.verbs import VERBS
from lstmtui.trace.growth import Follower
from lstmtui.tui.banner import Banner
from lstmtui.tui.command_line import CommandLine
from lstmtui.tui.footer import PROMPT, footer_parts, only_keys
from lstmtui.tui.header import header_parts
from lstmtui.tui.keys import bindings
from lstmtui.tui.panels.diagnosis import DiagnosisPanel
from lstmtui.tui.panels.notes import NotesPanel
from lstmtui.tui.panels.panel import Panel
from lstmtui.tui.panels.panel_set import PanelSet, Room
from lstmtui.tui.panels.watches import WatchesPanel
from lstmtui.tui.parts.arrangement import Arrangement
from lstmtui.tui.parts.command_runner import CommandRunner, Executed
from lstmtui.tui.parts.dialogue import Dialogue
from lstmtui.tui.parts.following import Following
from lstmtui.tui.parts.lesson_view import LessonView
from lstmtui.tui.parts.player import Player
from lstmtui.tui.parts.presenter import Presenter
from lstmtui.tui.screens.dialog import Dialog
from lstmtui.tui.screens.front_end import FrontEnd
from lstmtui.tui.screens.key_actions import KeyActions
from lstmtui.tui.screens.messages import Message, MessageLog
from lstmtui.tui.start import Choice
from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.status import Part, StatusLine


class DebuggerScreen(KeyActions):
    """Walks a session: every key is a command, whose outcome every panel shows.

    Args:
        session: what commands are executed on.
        look: what the terminal can show.
        place: the file or address the session comes from, which breakpoints and watches are kept for.
        follower: what is asked whether the traces have grown; None: they do not grow.
        follow: whether the cursor goes along with them from the start.
        course: the lesson that is offered, and those after it; empty: this is none of the course.
    """

    AUTO_FOCUS: ClassVar[str | None] = ""
    BINDINGS: ClassVar[list[BindingType]] = [*bindings()]

    message: var[Stop | None] = var(None)
    """What the footer says."""

    def __init__(
        self,
        session: Session,
        look: Look,
        place: Path | str | None = None,
        follower: Follower | None = None,
        *,
        follow: bool = False,
        course: Sequence[Choice] = (),
    ) -> None:
        super().__init__()
        self.session, self.look, self.place = session, look, place
        self._introduced: Panel | None = None
        """The panel with the focus, or that gets it back from the prompt."""
        self._about = ""
        """What that panel shows, until the next command."""
        self.panels = panels = PanelSet(look)
        panels.make_rows(session)
        self.command_line = CommandLine(look, lambda text: complete(text, session), self._run_typed)
        self.dialogue = Dialogue(self.command_line, self._say, self.show_session, lambda: self.is_busy)
        self.messages = MessageLog()
        self.arrangement = Arrangement(session, self, panels, self.show_session, self.dialogue.show)
        notes, show_panel = panels.of_kind(NotesPanel), self.arrangement.show_panel
        self.front_end = FrontEnd(self, session, notes, self.messages, self.run_text, show_panel)
        self.runner = CommandRunner(
            session, self, self.dialogue, self.front_end.carried_out, self.finish_command
        )
        self.presenter = Presenter(session, look, self, panels, self._header, self._footer, self._say)
        self.player = Player(session, self, lambda: self.is_behind, self.dialogue.show)
        self.lesson = LessonView(self, course)
        self.following = None if follower is None else Following(session, self, follower, follow=follow)

    def compose(self) -> ComposeResult:
        yield self.presenter.header_line
        yield self.lesson.band
        yield self.presenter.banner
        yield from self.panels.compose()
        yield self.command_line
        yield self.presenter.footer_line

    def on_mount(self) -> None:
        """Show everything, as soon as Textual gives places to what is on the screen."""
        self.call_next(self.show_session)
        if self.following is not None:
            self.run_worker(self.following.poll_repeatedly(), group="follow", exit_on_error=False)

    def set_focus(
        self, widget: Widget | None, scroll_visible: bool = True, from_app_focus: bool = False
    ) -> None:
        """Focus a widget, or none; Textual changes the focus nowhere else."""
        if not self.command_line.keeps_focus_from(widget):
            super().set_focus(widget, scroll_visible, from_app_focus)
            self._introduce(widget, is_new=not from_app_focus)
            self.presenter.draw_footer()

    def _introduce(self, widget: Widget | None, *, is_new: bool) -> None:
        """Let the footer say what a panel shows that the focus has come to."""
        if widget is None:
            self._introduced, self._about = None, ""
        elif isinstance(widget, Panel) and widget is not self._introduced:
            self._introduced, self._about = widget, widget.HELP if is_new else ""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While the prompt is open, all keys are typed there; those of a lesson are others without one."""
        if self.command_line.is_open or self.arrangement.is_scrolled_by(action, parameters):
            return False
        if action == "lesson" and not self.lesson.takes(str(parameters[0])):
            return False
        self.lesson.key_was_pressed((action, *parameters))
        return super().check_action(action, parameters)

    @property
    def is_behind(self) -> bool:
        """Whether the screen does not show yet where the session is: time waits for it."""
        return self.is_busy or self.presenter.is_behind

    def on_resize(self) -> None:
        """Draw for the new size, before Textual does with the places of the old one."""
        self.show_session()

    @on(Panel.Appeared)
    @on(Banner.Changed)
    @on(Room.Changed)
    def show_session(self) -> None:
        """Give everything its place, once there are places, and draw what changed there."""
        if not self.is_mounted:
            return
        with self.app.batch_update():
            self.lesson.show()
            self.arrangement.arrange()
            self.lesson.show()  # which says whether the panel it is about has a place
            self.presenter.show()

    def renew(self, *, live: bool) -> None:
        """The session has other traces: draw everything again; live: they go on growing."""
        self.panels.forget()
        self.presenter.banner.look_again(self.session, live=live)
        self.show_session()

    def _header(self, width: int) -> Sequence[Part]:
        growth = self.following.text if self.following is not None else ""
        return header_parts(self.session, width, growth)

    def _footer(self, width: int) -> Sequence[Part]:
        ascii = self.look.ascii
        if isinstance(dialog := self.app.screen, Dialog):
            return only_keys(dialog.hints, ascii=ascii)
        if self.command_line.is_open and not self.is_busy:
            return only_keys(PROMPT, ascii=ascii)
        playing = self.player.speed if self.player.is_playing else None
        zoom = "zoom" if isinstance(self.focused, Panel) else ""
        zoom = zoom if self.arrangement.zoomed is None else "leave"
        return footer_parts(self.message, playing, width, self.lesson.hints, self._about, zoom, ascii=ascii)

    @on(ScreenSuspend)
    @on(ScreenResume)
    def _other_keys(self) -> None:
        """A dialog has come or gone, which has keys of its own."""
        self.presenter.draw_footer()

    @on(StatusLine.Clicked)
    async def _clicked(self, event: StatusLine.Clicked) -> None:
        """A hint of the footer, or a fact of the header."""
        event.stop()
        if not self.command_line.is_open:
            await self.run_action(event.action)

    def watch_message(self, message: Stop | None) -> None:
        """Keep what is said, to be read again."""
        if message is not None:
            self.messages.append(Message(self.session.cursor.t, message))

    @property
    def losable(self) -> tuple[str, ...]:
        """The user's own what-ifs in words, which are kept nowhere."""
        aside = self.lesson.guide.aside
        what_ifs = self.session.what_ifs if aside is None else aside.what_ifs
        return () if what_ifs is None else what_ifs.texts

    def _say(self, message: Stop | None) -> None:
        self.message, self._about = message, ""

    def run_text(self, text: str) -> None:
        """Execute a line as if it had been typed."""
        try:
            command = parse_line(text, vocabulary=self.session.vocabulary)
        except ScriptError as error:
            self.dialogue.refuse(text, error)
            return
        if command is not None:
            self.runner.start(command)

    def finish_command(self, command: Command, outcome: Outcome) -> None:
        """Show what came of a command; another selection may need other panels."""
        if self.lesson.took(command, outcome):
            return
        verb = VERBS[command.verb]
        shows_diagnosis = verb.name == "diagnose" and outcome.ok
        if verb.changes_run or verb.changes_what_is_hidden:
            self.panels.forget()
        if verb.name == "first-bad":
            self.presenter.banner.dismiss()
        if verb.takes_picture and outcome.ok:
            self._take_picture(command, outcome)
            return
        if shows_diagnosis:
            outcome = Outcome(True, "the diagnosis: [ and ] choose, e goes there, z leaves")
        outcome = self.front_end.carried_out(command, outcome)
        if verb.changes_saved_state and self.place is not None and not self.lesson.guide.is_active:
            saved_state.save(self.session, self.place)
        self.dialogue.show(outcome)
        if shows_diagnosis:
            self.arrangement.focus(DiagnosisPanel.NUMBER)

    def _take_picture(self, command: Command, outcome: Outcome) -> None:
        """Take a picture without the prompt, and say then that it was taken."""
        self.command_line.close()
        self.message = None
        self.show_session()

        def take() -> None:
            self.dialogue.show(self.front_end.carried_out(command, outcome))

        self.call_after_refresh(take)

    def _run_typed(self, text: str) -> None:
        """Execute a line that was entered at the prompt, and answer there."""
        with self.dialogue.answers():
            self.run_text(text)

    @on(Executed)
    def _executed(self, event: Executed) -> None:
        self.runner.executed(event)

    @on(WatchesPanel.Asked)
    def _asked(self, event: WatchesPanel.Asked) -> None:
        self.run_text(event.command)

    @on(DiagnosisPanel.Followed)
    def _followed(self, event: DiagnosisPanel.Followed) -> None:
        """Leave the verdict for what it is about."""
        self.arrangement.zoom()
        self.front_end.follow(event.commands)

    @on(Panel.Picked)
    def _picked(self, event: Panel.Picked) -> None:
        """A click goes to its timestep and its unit."""
        before = self.session.cursor
        if event.t is not None:
            self.session.goto(min(event.t, self.session.last_t))
        if event.unit is not None:
            self.session.select_unit(min(event.unit, self.session.layer.hidden_size - 1))
        if self.session.cursor != before:
            self.session.history = self.session.history.moved(before, "pointer")
        self.message = None
        self.show_session()

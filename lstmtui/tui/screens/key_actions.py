"""What the keys of the debugger's screen do."""

from __future__ import annotations

from abc import abstractmethod

from textual.reactive import var
from textual.screen import Screen

from lstmtui.errors import UserError
from lstmtui.session import Outcome, Session, Stop
from lstmtui.session.verbs import VERBS
from lstmtui.tui.command_line import CommandLine
from lstmtui.tui.copying import copied_value
from lstmtui.tui.panels.panel_set import PanelSet
from lstmtui.tui.panels.watches import WatchesPanel
from lstmtui.tui.parts.arrangement import Arrangement
from lstmtui.tui.parts.command_runner import CommandRunner
from lstmtui.tui.parts.dialogue import Dialogue
from lstmtui.tui.parts.lesson_view import LessonView
from lstmtui.tui.parts.player import Player
from lstmtui.tui.parts.presenter import Presenter
from lstmtui.tui.parts.reconnecting import reconnect


class KeyActions(Screen[None]):
    """A screen whose keys are given to its parts, see `lstmtui.tui.keys.KEYS`."""

    session: Session
    panels: PanelSet
    command_line: CommandLine
    dialogue: Dialogue
    runner: CommandRunner
    arrangement: Arrangement
    presenter: Presenter
    player: Player
    lesson: LessonView
    message: var[Stop | None]

    @property
    def is_busy(self) -> bool:
        """Whether a command runs off the event loop."""
        return self.runner.running is not None

    @abstractmethod
    def show_session(self) -> None:
        """Draw what changed."""

    @abstractmethod
    def run_text(self, text: str) -> None:
        """Execute a line as if it had been typed."""

    def action_command(self, begun: str = "") -> None:
        """Open the prompt with something typed already."""
        self.command_line.open(begun, for_one=bool(begun))

    def action_run(self, text: str) -> None:
        """A key that stands for a command."""
        self.run_text(text)

    def action_page(self, pages: int) -> None:
        """A page of all lanes on or back."""
        t = self.session.cursor.t
        count = self.panels.axis.turned(t, pages, self.session.last_t) - t
        self.run_text(f"step {count or 1}" if pages > 0 else f"back {-count or 1}")

    def action_whole_run(self) -> None:
        """Show all of the run in the columns of the lanes, or a timestep in each again."""
        self.panels.axis.fit_all()
        self._say_scale()

    def action_fit(self, timesteps: int) -> None:
        """Show up to so many timesteps in each column."""
        self.panels.axis.most_per_column = timesteps
        self._say_scale()

    def action_stretch(self, by: int) -> None:
        """Show half as many timesteps in each column, or twice as many."""
        self.panels.axis.stretch(by)
        self._say_scale()

    def _say_scale(self) -> None:
        cursor, axis = self.session.cursor, self.panels.axis
        axis.show(cursor.t, self.session.trace.header)
        shared, pages = axis.page.per_column, axis.page.count
        where = "the whole run" if pages == 1 else f"page {axis.page.number} of {pages}"
        each = "a timestep" if shared == 1 else f"{shared} timesteps"
        self.dialogue.show(Outcome(True, f"{each} a column: {where}"))

    def action_select(self, name: str, by: int) -> None:
        """What a verb selects, the next or the one before, round."""
        selection = VERBS[name].selection
        assert selection is not None
        try:
            self.run_text(f"{name} {selection.next(self.session, by)}")
        except UserError as error:
            self.dialogue.show(Outcome(False, str(error)))

    def action_play(self) -> None:
        """Play, or pause."""
        self.player.toggle()
        self.message = None if self.player.is_playing else self.message
        self.show_session()

    def action_faster(self, by: int) -> None:
        """Another speed of playing."""
        self.player.faster(by)
        self.dialogue.show(Outcome(True, f"{self.player.speed} timesteps a second"))

    async def action_lesson(self, what: str) -> None:
        """Begin a lesson, turn its pages, leave it."""
        await self.lesson.act(what)

    def action_difference(self) -> None:
        """Show maps of the difference to what is compared, or to the run without what-ifs, and back."""
        self.dialogue.show(self.panels.toggle_difference(self.session))

    def action_copy(self) -> None:
        """Copy the value in focus by way of the terminal."""
        chosen, number = self.panels.of_kind(WatchesPanel).chosen_entry, self.arrangement.focused_number
        self.dialogue.show(copied_value(self.app, self.session, number, chosen))

    def action_reconnect(self) -> None:
        """Try a lost link again now."""
        self.dialogue.show(reconnect(self.session))

    def action_panel(self, number: int) -> None:
        """Focus a panel by number; one that has no room on this screen takes all of it.

        Where a question has choices, their numbers answer it.
        """
        open_question = self.session.question
        if open_question is not None and number <= len(open_question.question.options):
            self.run_text(f"answer {number}")
        else:
            self.message = None
            self.arrangement.focus(number)

    def action_panel_by(self, by: int) -> None:
        """Focus the next panel on screen, or the one before."""
        self.message = None
        self.arrangement.focus_by(by)

    def action_zoom(self) -> None:
        """Give the focused panel the whole screen, or all panels their places again."""
        self.arrangement.zoom()

    def action_leave(self) -> None:
        """End what was begun last: a command, play, then zoom, then focus."""
        if self.is_busy:
            self.runner.stop()
        elif self.player.is_playing:
            self.action_play()
        elif self.arrangement.zoomed is not None:
            self.arrangement.zoom()
        elif self.presenter.banner.is_shown:
            self.presenter.banner.dismiss()
        elif self.lesson.is_shown:
            self.lesson.leave()
        elif self.session.asked is not None:
            self.session.asked = None
            self.show_session()
        else:
            self.message = None
            self.set_focus(None)

    async def action_program(self, name: str) -> None:
        """An action of the program: pick, redraw, help, quit."""
        await self.app.run_action(name)

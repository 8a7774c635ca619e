"""Does what commands ask of a front end, in front of a screen."""

from __future__ import annotations

from collections.abc import Callable

from textual.screen import Screen

from lstmtui.errors import UserError
from lstmtui.playback.export import export
from lstmtui.playback.picture import picture_file
from lstmtui.playback.written_files import replace_file
from lstmtui.session import Command, Outcome, Session
from lstmtui.session.requests import (
    Export,
    Fit,
    Help,
    Note,
    Quit,
    Request,
    Screenshot,
    ShowDifference,
    ShowJacobian,
    ShowLaws,
    ShowMessages,
    ShowPanel,
    ShowTheme,
    ShowWhy,
)
from lstmtui.tui.harmless import is_harmless
from lstmtui.tui.panels.notes import NotesPanel
from lstmtui.tui.parts.places import side_width
from lstmtui.tui.screens.jacobian import JacobianScreen
from lstmtui.tui.screens.laws import LawsScreen
from lstmtui.tui.screens.messages import MessageLog, MessagesScreen
from lstmtui.tui.screens.topic import TopicScreen
from lstmtui.tui.screens.why import WhyTrail
from lstmtui.tui.screenshot import picture


class FrontEnd:
    """Shows notes, takes pictures, writes files, shows the reference and quits; it does not wait in a pause.

    Args:
        screen: what there is a picture of, and is left with the app.
        session: whose numbers are written.
        notes: where notes go.
        messages: what was said so far.
        run_text: executes a line as if it had been typed.
        show_panel: jumps to a panel by its key.
    """

    def __init__(
        self,
        screen: Screen[None],
        session: Session,
        notes: NotesPanel,
        messages: MessageLog,
        run_text: Callable[[str], None],
        show_panel: Callable[[str], None],
    ) -> None:
        self._screen, self._session, self._notes, self._run_text = screen, session, notes, run_text
        self._messages, self._show_panel = messages, show_panel
        self._trail = WhyTrail(
            lambda: notes.look,
            lambda dialog, left: screen.app.push_screen(dialog, left),
            self.follow,
            lambda: side_width(screen.app.size.width, is_code=session.layer.source is not None),
        )

    def carried_out(self, command: Command, outcome: Outcome) -> Outcome:
        """The outcome of a command after its request; may write, and be called, off the event loop."""
        if outcome.request is None:
            return outcome
        try:
            self._carry_out(outcome.request)
        except (OSError, UserError) as error:
            return Outcome(False, command.refused(str(error)))
        return outcome

    def _carry_out(self, request: Request) -> None:
        match request:
            case Note(text):
                self._notes.add(text, self._session)
            case Screenshot(name):
                data = picture_file(picture(self._screen.app, self._session), name)
                replace_file(name, lambda file: file.write(data))
            case Export(name):
                replace_file(name, lambda file: export(self._session.view, name, file))
            case Help(None):
                self._act("app.everything")
            case Help(str(word)):
                self._screen.app.push_screen(TopicScreen(self._notes.look, word))
            case ShowLaws(results):
                screen = LawsScreen(self._notes.look, self._session.cursor.model, results)
                self._screen.app.push_screen(screen, self.follow)
            case ShowJacobian():
                self._screen.app.push_screen(JacobianScreen(self._notes.look, request), self.follow)
            case ShowWhy(ledger):
                self._trail.show(ledger)
            case ShowPanel(key):
                self._show_panel(key)
            case Fit(timesteps):
                self._act("whole_run" if timesteps is None else f"fit({timesteps})")
            case ShowDifference():
                self._act("difference")
            case ShowTheme(name):
                self._act(f"app.show_theme('{name}')")
            case ShowMessages():
                self._screen.app.push_screen(MessagesScreen(self._notes.look, self._messages))
            case Quit():
                self._screen.app.call_later(self._screen.app.action_quit)

    def _act(self, action: str) -> None:
        """Do what a key does."""
        self._screen.app.call_later(self._screen.run_action, action)

    def follow(self, commands: tuple[str, ...] | None) -> None:
        """Execute what a dialog or a verdict was left with, as far as a stranger's commands may be."""
        for command in filter(is_harmless, commands or ()):
            self._run_text(command)

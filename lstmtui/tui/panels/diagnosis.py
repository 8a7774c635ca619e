"""Panel 0: what is wrong with the selected run, if anything; it has the whole screen or none of it."""

from __future__ import annotations

from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message

from lstmtui.analysis.diagnosis import BAD, FINE, NOT_MEASURED, Verdict, diagnose
from lstmtui.errors import Cancelled, UserError
from lstmtui.session import Session
from lstmtui.tui.chosen_line import ChosenLine, mark
from lstmtui.tui.panels.panel import Panel
from lstmtui.tui.theme import Look
from lstmtui.tui.whole_run import is_small
from lstmtui.tui.widgets.spans import Spans
from lstmtui.tui.widgets.text_lines import TextLines
from lstmtui.view import View


class DiagnosisPanel(ChosenLine, Panel):
    """The verdicts, bad ones first. [ and ] choose one, e goes to it and executes its command."""

    NUMBER = 0
    TITLE = "Diagnosis"
    HELP = "What is wrong: [ ] choose, e goes there. What comes next is then executed."
    ALONE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right_square_bracket", "choose(1)", "the next verdict", show=False),
        Binding("left_square_bracket", "choose(-1)", "the verdict before", show=False),
        Binding("e", "follow", "go to it", show=False),
    ]

    class Followed(Message):
        """Commands that lead to the subject of a verdict."""

        def __init__(self, commands: tuple[str, ...]) -> None:
            super().__init__()
            self.commands = commands

    class Diagnosed(Message):
        """The verdicts on a run, or why there are none."""

        def __init__(self, verdicts: tuple[Verdict, ...], problem: str = "") -> None:
            super().__init__()
            self.verdicts, self.problem = verdicts, problem

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self.lines = TextLines(look, wraps=True)
        self.verdicts: tuple[Verdict, ...] = ()

    def compose(self) -> ComposeResult:
        yield self.lines

    def show(self, session: Session) -> None:
        if not self.changed(session.cursor.model, id(session.trace)):
            return
        self.drawn()
        self.set_title(f"Diagnosis of {session.cursor.model}")
        if is_small(session):
            self._show(diagnose(session.view))
        else:
            self.verdicts = ()
            self.lines.set_lines([(("reading the whole run", "muted"),)])
            self._read(session.view)

    @work(thread=True, exclusive=True, group="diagnosis", exit_on_error=False)
    def _read(self, view: View) -> None:
        try:
            message = self.Diagnosed(diagnose(view))
        except UserError as error:
            message = self.Diagnosed((), str(error))
        except Cancelled:
            return
        self.post_message(message)

    @on(Diagnosed)
    def _show_answer(self, event: Diagnosed) -> None:
        event.stop()
        if event.problem:
            self.forget()
            self.lines.set_lines([((event.problem, "warning"),)])
        else:
            self._show(event.verdicts)

    def _show(self, verdicts: tuple[Verdict, ...]) -> None:
        self.verdicts, self.chosen = verdicts, 0
        self.draw_choices()

    @property
    def choices(self) -> int:
        return len(self.verdicts)

    def draw_choices(self) -> None:
        self.lines.set_lines(
            verdict_line(verdict, chosen=at == self.chosen) for at, verdict in enumerate(self.verdicts)
        )
        self.lines.scroll_to_line(self.chosen)

    def action_follow(self) -> None:
        """Go to the layer of the chosen verdict, and execute the command it gives."""
        if self.verdicts:
            verdict = self.verdicts[self.chosen]
            commands = verdict.commands
            if verdict.layer is not None and not (commands and commands[0].startswith("layer ")):
                commands = (f"layer {verdict.layer} {verdict.direction}", *commands)
            self.post_message(self.Followed(commands))


def verdict_line(verdict: Verdict, *, chosen: bool) -> Spans:
    """Severity and kind, the sentence, and what to look at next."""
    role = {BAD: "error", FINE: "muted", NOT_MEASURED: "muted"}.get(verdict.severity, "warning")
    place = f"{verdict.place}: " if verdict.place else ""
    commands = "; ".join(verdict.commands)
    next_: Spans = (("   next: ", "muted"), (commands, "key")) if commands else ()
    return (
        mark(chosen=chosen),
        (f"{verdict.severity:13} ", role),
        (f"{verdict.name:10} ", "accent"),
        (place + verdict.text, "muted" if verdict.severity == FINE else "text"),
        *next_,
    )

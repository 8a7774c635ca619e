"""Panel 8: the scenario's own words."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Label, Markdown

from lstmtui.printable import printable
from lstmtui.session import Session
from lstmtui.session.layer_names import layer_list
from lstmtui.tui.panels.panel import Panel
from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.spans import safe


class _Page(VerticalScroll, can_focus=False):
    """The scrolled text; the panel round it has the focus."""


class NotesPanel(Panel):
    """The notes of the scenario, as Markdown; links are not followed."""

    NUMBER = 8
    TITLE = "Notes"
    HELP = "What the scenario's author says about it. Scrolls with [ and ]."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right_square_bracket", "scroll(1)", "scroll down", show=False),
        Binding("left_square_bracket", "scroll(-1)", "scroll up", show=False),
    ]

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self.page = _Page()
        self.said: list[str] = []
        """The notes of the tour, the latest last."""
        # Markdown draws bullets, rules and tables beyond ASCII; its source is readable as it is.
        self.text = Label(markup=False) if look.ascii else Markdown("", open_links=False)

    def compose(self) -> ComposeResult:
        with self.page:
            yield self.text

    def show(self, session: Session) -> None:
        notes = session.trace.header.notes or layer_list(session.trace)
        if self.changed(notes, len(self.said)):
            text = printable("\n\n---\n\n".join([*self.said[::-1], notes]), lines=True)
            self.text.update("\n".join(safe(line, self.look) for line in text.splitlines()))
            self.page.scroll_home(animate=False)
            self.drawn()

    def say(self, text: str, session: Session) -> None:
        """Put a note of a tour above everything else."""
        self.said.append(f"**t={session.cursor.t}**  {text}")
        self.show(session)

    def action_scroll(self, pages: int) -> None:
        """Scroll by most of a page."""
        self.page.scroll_relative(y=pages * max(1, self.page.size.height - 2), animate=False)

"""Panel 8: the scenario's own words."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.widgets import Label, Markdown

from lstmtui.analysis.layer_names import layer_list
from lstmtui.printable import printable
from lstmtui.session import Session
from lstmtui.tui.panels.panel import SCROLL_BINDINGS, Panel
from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.spans import safe

LONGEST_MARKDOWN, MOST_TOKENS = 1 << 13, 500
"""Characters and tokens of Markdown. Notes of more are shown as they were written, for each paragraph and
each cell of a table is a widget, which takes some 10 ms; nobody but a prankster writes so many."""
LONGEST = 1 << 16
"""Characters that are shown at all."""


class _Page(VerticalScroll, can_focus=False):
    """The scrolled text; the panel round it has the focus."""


class NotesPanel(Panel):
    """The notes of the scenario, as Markdown; links are not followed."""

    NUMBER = 8
    TITLE = "Notes"
    HELP = "What the scenario's author says about it. ↓ ↑ PgDn PgUp scroll it."
    BINDINGS: ClassVar[list[BindingType]] = SCROLL_BINDINGS
    SCROLLS = True

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self.page = _Page()
        self.said: list[str] = []
        """What scripts and users have noted, the latest last."""
        self.markdown = Markdown("", open_links=False)
        self.source = Label(markup=False)

    def compose(self) -> ComposeResult:
        with self.page:
            yield self.markdown
            yield self.source

    def show(self, session: Session) -> None:
        notes = session.trace.header.notes or layer_list(session.trace)
        if self.changed(notes, len(self.said)):
            text = printable("\n\n---\n\n".join([*self.said[::-1], notes]), lines=True)
            text = "\n".join(safe(line, self.look) for line in text[:LONGEST].splitlines())
            # Markdown draws bullets, rules and tables beyond ASCII; its source is readable as it is.
            plain = self.look.ascii or not is_simple(text)
            self.markdown.display, self.source.display = not plain, plain
            self.markdown.update("" if plain else text)
            self.source.update(text if plain else "")
            self.page.scroll_home(animate=False)
            self.drawn()

    def add(self, text: str, session: Session) -> None:
        """Put a note above everything else."""
        self.said.append(f"**t={session.cursor.t}**  {text}")
        self.show(session)

    def scroll_rows(self, rows: int) -> None:
        self.page.scroll_relative(y=rows, animate=False)


def is_simple(markdown: str) -> bool:
    """Whether Markdown is drawn in a moment."""
    from markdown_it import MarkdownIt

    return len(markdown) <= LONGEST_MARKDOWN and len(MarkdownIt("gfm-like").parse(markdown)) <= MOST_TOKENS

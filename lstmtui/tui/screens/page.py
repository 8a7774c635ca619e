"""Lines of text to read: they scroll, and / shows only those that have some words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from lstmtui.tui.keys import in_words
from lstmtui.tui.screens.dialog import Result, write_border
from lstmtui.tui.screens.filtered import FilteredDialog, has_words, nothing_matches
from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.spans import Spans
from lstmtui.tui.widgets.text_lines import TextLines


class PageScreen(FilteredDialog[Result]):
    """A page that scrolls.

    Args:
        look: what the terminal can show.
        title: stands above it.
        keys: stand below it.
    """

    DEFAULT_CSS = """
    PageScreen { align: center middle; }
    PageScreen > Vertical { width: 96%; max-width: 110; height: 94%; border: round $border; padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j,space", "scroll(1)", "down"),
        Binding("up,k", "scroll(-1)", "up"),
        Binding("pagedown,right,l", "page(1)", "page down"),
        Binding("pageup,left,h", "page(-1)", "page up"),
        Binding("home", "scroll(-10000)", "top"),
        Binding("end", "scroll(10000)", "end"),
    ]

    def __init__(self, look: Look, title: str, keys: str) -> None:
        super().__init__(look, "words of a line")
        self._title, self._keys = title, keys
        self.text = TextLines(look, wraps=True)
        self._lines: Sequence[Spans] = ()
        self._words: Sequence[str] = ()

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            keys = in_words(self._keys) if self.look.ascii else self._keys
            write_border(box, self.look, f" {self._title} ", f" {keys} ")
            yield self.filter
            yield self.text

    def show_lines(self, lines: Sequence[Spans]) -> None:
        """Show these lines."""
        self._lines = lines
        self.narrow(self._words)

    def narrow(self, words: Sequence[str]) -> None:
        self._words = words
        lines = [
            line for line in self._lines if not words or has_words("".join(text for text, _ in line), words)
        ]
        self.text.set_lines(lines or ([((nothing_matches(words, self.look), "muted"),)] if words else []))

    def action_scroll(self, rows: int) -> None:
        """Scroll by rows."""
        self.text.scroll_to_row(self.text.top + rows)

    def action_page(self, pages: int) -> None:
        """Scroll by most of the height."""
        self.action_scroll(pages * max(1, self.text.size.height - 2))

"""The help: every key, command, panel, scenario and topic, found by words, and run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType

from lstmtui.tui.chosen_line import mark
from lstmtui.tui.entries import Entry, Run
from lstmtui.tui.screens.filtered import has_words, nothing_matches
from lstmtui.tui.screens.page import PageScreen
from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.spans import Spans
from lstmtui.tui.widgets.text_lines import TextLines


class HelpScreen(PageScreen[Run | None]):
    """A list by group, one line chosen; it returns what that runs.

    Args:
        look: what the terminal can show.
        entries: the lines.
        is_palette: whether words can be typed at once.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark,f1", "leave", "back"),
        Binding("enter", "run", "run it"),
    ]

    def __init__(self, look: Look, entries: Iterable[Entry], *, is_palette: bool = False) -> None:
        super().__init__(look, "Help", "↑ ↓ choose  ↵ run  / filter  esc")
        self.entries, self.is_palette = tuple(entries), is_palette
        self.chosen = 0
        self._rows: list[Entry | str] = []
        """The entries that have the words, and the headings of their groups."""

    def on_mount(self) -> None:
        """Write the list."""
        self.narrow(())
        if self.is_palette:
            self.action_filter()

    @property
    def shown(self) -> Sequence[Entry]:
        """The entries that have the words."""
        return [row for row in self._rows if isinstance(row, Entry)]

    def narrow(self, words: Sequence[str]) -> None:
        self._rows = []
        group = ""
        for entry in self.entries:
            if has_words(entry.text, words):
                self._rows += [entry] if entry.group == group else [entry.group, entry]
                group = entry.group
        runs = (n for n, row in enumerate(self._rows) if isinstance(row, Entry) and row.run is not None)
        self.chosen = next(runs, min(1, len(self._rows) - 1))
        self._words = words
        self._draw()
        if self.chosen <= 1:
            self.text.scroll_to_row(0)  # with the heading

    def _draw(self) -> None:
        rows = [_row(row, chosen=n == self.chosen, is_first=not n) for n, row in enumerate(self._rows)]
        self.text.set_lines(rows or [((nothing_matches(self._words, self.look), "muted"),)])
        self.text.scroll_to_line(self.chosen)

    def action_scroll(self, rows: int) -> None:
        """Choose another entry, so many rows on."""
        last = len(self._rows) - 1
        at = max(min(1, last), min(self.chosen + rows, last))
        if at >= 0 and isinstance(self._rows[at], str):  # a heading
            at += 1 if rows > 0 else -1
        self.chosen = at
        self._draw()

    def action_run(self) -> None:
        """Leave, and do what the chosen entry says; one that is only read stays."""
        entry = self._rows[self.chosen] if self._rows else ""
        if isinstance(entry, Entry) and entry.run is not None:
            self.dismiss(entry.run)

    def filter_entered(self) -> None:
        self.action_run()

    @on(TextLines.Clicked)
    def _clicked(self, event: TextLines.Clicked) -> None:
        event.stop()
        if event.line < len(self._rows) and isinstance(self._rows[event.line], Entry):
            again, self.chosen = event.line == self.chosen, event.line
            self.action_run() if again else self._draw()


def _row(row: Entry | str, *, chosen: bool, is_first: bool) -> Spans:
    if isinstance(row, str):
        return ((row, "title"),)
    return (mark(chosen=chosen), *row.spans)

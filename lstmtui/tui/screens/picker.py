"""The list of scenarios to pick from: by group, with what has been read, a preview, and a filter."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.content import Content
from textual.events import Resize
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from lstmtui.help.page import markdown_lines
from lstmtui.printable import printable
from lstmtui.session.finished_lessons import finished_lessons
from lstmtui.tui.keys import in_words
from lstmtui.tui.screens.dialog import write_border
from lstmtui.tui.screens.filtered import FilteredDialog, has_words, nothing_matches
from lstmtui.tui.start import Choice
from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.spans import Spans, safe
from lstmtui.tui.widgets.text_lines import TextLines

WIDE = 100
"""From so many columns on the preview stands beside the list; below, under it."""
LONGEST_PREVIEW = 4000
"""Characters of notes that are shown."""
NARROWEST = 20
"""Columns that notes are laid out in at least; where there are fewer, their lines are wrapped once more."""


class PickerScreen(FilteredDialog[Path | None]):
    """Returns the path of the scenario that was picked, or None."""

    DEFAULT_CSS = """
    PickerScreen { align: center middle; }
    PickerScreen > Vertical { width: 96%; max-width: 140; height: 94%; border: round $border; padding: 0 1; }
    PickerScreen Container { layout: vertical; height: 1fr; }
    PickerScreen OptionList { height: 2fr; border: none; background: $background; padding: 0; }
    PickerScreen TextLines { height: 1fr; border-top: solid $border-blurred; }
    PickerScreen.-beside Container { layout: horizontal; }
    PickerScreen.-beside OptionList { width: 1fr; height: 1fr; }
    PickerScreen.-beside TextLines { width: 1fr; height: 1fr; border-top: none; margin-left: 2; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "move(1)", "down"),
        Binding("k", "move(-1)", "up"),
        Binding("right,l", "select", "open"),
        Binding("right_square_bracket", "scroll(1)", "scroll the preview down"),
        Binding("left_square_bracket", "scroll(-1)", "scroll the preview up"),
    ]

    def __init__(self, choices: Sequence[Choice], look: Look) -> None:
        super().__init__(look, "part of a title")
        self.choices = choices
        self.options = OptionList(compact=True)
        self.preview = TextLines(look, wraps=True)
        self._finished = finished_lessons()

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            keys = "↑ ↓ choose  ↵ open  / filter  [ ] scroll  q quit"
            if self.look.ascii:  # in words they are longer
                keys = in_words(keys.replace("[ ] scroll  ", ""))
            write_border(box, self.look, " lstmtui: pick a scenario ", f" {keys} ")
            yield self.filter
            with Container():
                yield self.options
                yield self.preview

    def on_mount(self) -> None:
        """Begin at the first lesson that has not been read, else at the first scenario."""
        self.options.focus()
        self._list(())
        unread = (at for at, c in enumerate(self.choices) if c.group and not self._is_finished(c))
        self._highlight(next(unread, 0))

    @on(Resize)
    def _lay_out(self) -> None:
        self.set_class(self.size.width >= WIDE, "-beside")
        self.call_after_refresh(self._preview)

    @on(OptionList.OptionHighlighted)
    def _preview(self) -> None:
        """The notes of what is highlighted, where there is anything."""
        option = self.options.highlighted_option
        number = None if option is None or option.id is None else int(option.id)
        self.preview.scroll_to_row(0)
        width = max(NARROWEST, self.preview.size.width)
        self.preview.set_lines([] if number is None else _preview_lines(self.choices[number], width))

    @on(OptionList.OptionSelected)
    def _picked(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self.choices[int(event.option_id or 0)].path)

    def focus_list(self) -> None:
        self.options.focus()

    def narrow(self, words: Sequence[str]) -> None:
        self._list(words)
        self.options.action_first()

    def action_move(self, by: int) -> None:
        """Up or down."""
        self.options.action_cursor_down() if by > 0 else self.options.action_cursor_up()

    def action_select(self) -> None:
        """Open what is highlighted."""
        self.options.action_select()

    def action_scroll(self, pages: int) -> None:
        """Scroll the preview by most of its height."""
        self.preview.scroll_to_row(self.preview.top + pages * max(1, self.preview.size.height - 2))

    def _list(self, words: Sequence[str]) -> None:
        """The choices that have every word in their title or name, each group under its heading."""
        self.options.clear_options()
        group = ""
        for at, choice in enumerate(self.choices):
            if not has_words(f"{choice.title} {choice.note}", words):
                continue
            if choice.group != group:
                group = choice.group
                heading = Content.styled(safe(group, self.look), "bold $accent")
                self.options.add_option(Option(heading, disabled=True))
            self.options.add_option(Option(self._prompt(choice), id=str(at)))
        if not self.options.option_count:
            self.options.add_option(Option(Content(nothing_matches(words, self.look)), disabled=True))
            self._preview()

    def _highlight(self, at: int) -> None:
        if self.choices:
            self.options.highlighted = self.options.get_option_index(str(at))

    def _is_finished(self, choice: Choice) -> bool:
        return str(choice.path.resolve()) in self._finished

    def _prompt(self, choice: Choice) -> Table:
        """Whether it has been read, and its title, whose further lines begin where its first one does."""
        tick = ("*" if self.look.ascii else "✓") if self._is_finished(choice) else " "
        row = Table.grid(padding=(0, 1, 0, 0))
        row.add_row(Text(f" {tick}"), Text(safe(choice.title, self.look)))
        return row


def _preview_lines(choice: Choice, width: int) -> list[Spans]:
    """The title and the notes, laid out in so many columns."""
    notes = printable(choice.notes() if choice.notes is not None else "", lines=True)[:LONGEST_PREVIEW]
    head: Spans = ((choice.title, "title"), (f"   {choice.note}", "muted"))
    return [head, (), *markdown_lines(notes, width)]

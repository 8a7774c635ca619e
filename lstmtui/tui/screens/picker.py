"""The list of scenarios to pick from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from lstmtui.tui.screens.dialog import Dialog
from lstmtui.tui.start import Choice
from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.spans import safe


class PickerScreen(Dialog[Path | None]):
    """Returns the path of the scenario that was picked, or None."""

    DEFAULT_CSS = """
    PickerScreen { align: center middle; }
    PickerScreen > Vertical { width: 90%; max-width: 100; height: auto; max-height: 90%;
                              border: round $border; padding: 1 1; }
    PickerScreen OptionList { height: auto; max-height: 100%; border: none; background: $background; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "move(1)", "down"),
        Binding("k", "move(-1)", "up"),
        Binding("right,l", "select", "open"),
    ]

    def __init__(self, choices: Sequence[Choice], look: Look) -> None:
        super().__init__()
        self.choices, self.look = choices, look

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = Content(safe(" lstmtui: pick a scenario ", self.look))
            keys = (
                " up down  choose   enter  open   q  quit "
                if self.look.ascii
                else " ↑ ↓ choose   ↵ open   q quit "
            )
            box.border_subtitle = Content(keys)
            yield OptionList(*(Option(self._prompt(choice)) for choice in self.choices), compact=True)

    def on_mount(self) -> None:
        """Begin at the first scenario."""
        self.query_one(OptionList).focus()
        self.query_one(OptionList).highlighted = 0

    @on(OptionList.OptionSelected)
    def _picked(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self.choices[event.option_index].path)

    def action_move(self, by: int) -> None:
        """Up or down."""
        options = self.query_one(OptionList)
        options.action_cursor_down() if by > 0 else options.action_cursor_up()

    def action_select(self) -> None:
        """Open what is highlighted."""
        self.query_one(OptionList).action_select()

    def _prompt(self, choice: Choice) -> Content:
        title = Content.styled(safe(choice.title, self.look), "bold")
        note = Content.styled(safe(f"  {choice.note}", self.look), "dim") if choice.note else Content("")
        return Content("\n").join([title, note]) if choice.note else title

"""A dialog with a list that / narrows to what has some words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widgets import Input

from lstmtui.tui.screens.dialog import Dialog, Result
from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.filter_input import FilterInput
from lstmtui.tui.widgets.spans import safe


class FilteredDialog(Dialog[Result]):
    """`/` opens the filter, which Escape closes first; a subclass puts it on screen, and has `narrow`."""

    AUTO_FOCUS: ClassVar[str | None] = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        # With priority: what is typed ahead is then meant for the filter.
        Binding("slash", "filter", "filter", priority=True)
    ]

    def __init__(self, look: Look, placeholder: str) -> None:
        super().__init__()
        self.look = look
        self.filter = FilterInput(look, placeholder)

    def narrow(self, words: Sequence[str]) -> None:
        """Show what has all of these words, case folded; of no words: everything."""
        raise KeyError(type(self).__name__)

    def focus_list(self) -> None:
        """Give the keyboard to what is listed."""
        self.set_focus(None)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Disable the action of / while the filter has the focus, where it is a character like any other."""
        is_typed = action == "filter" and self.focused is self.filter
        return False if is_typed else super().check_action(action, parameters)

    def action_filter(self) -> None:
        """Type words."""
        self.filter.display = True
        self.set_focus(self.filter)

    def action_leave(self) -> None:
        """Leave the filter, or the dialog."""
        if self.filter.display:
            self.filter.display = False
            self.filter.value = ""
            self.focus_list()
        else:
            super().action_leave()

    @on(Input.Changed)
    def _filter_changed(self, event: Input.Changed) -> None:
        self.narrow(event.value.casefold().split())

    @on(Input.Submitted)
    def _entered(self) -> None:
        self.filter_entered()

    def filter_entered(self) -> None:
        """Go on with what the words have left."""
        self.focus_list()


def has_words(text: str, words: Sequence[str]) -> bool:
    """Whether a text has every word of a filter."""
    folded = text.casefold()
    return all(word in folded for word in words)


def nothing_matches(words: Sequence[str], look: Look) -> str:
    """What stands in place of a list of which nothing has the words, safe to show."""
    return safe(f'nothing matches "{" ".join(words)}"; Esc shows everything', look)

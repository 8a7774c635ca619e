"""The line in which a list is narrowed to what has some words."""

from __future__ import annotations

from textual.widgets import Input

from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.spans import safe


class FilterInput(Input):
    """Words that lines must have.

    Args:
        look: what the terminal can show.
        placeholder: what is typed here.
    """

    DEFAULT_CSS = "FilterInput { height: 1; }"

    def __init__(self, look: Look, placeholder: str) -> None:
        super().__init__(placeholder=placeholder, compact=True, max_length=200)
        self._look_of_terminal = look
        self.display = False

    def validate_value(self, value: str) -> str:
        """What is pasted may hold what a terminal would act on, or cannot show."""
        return safe(value, self._look_of_terminal)

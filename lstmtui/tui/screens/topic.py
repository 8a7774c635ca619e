"""A topic of the reference."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.events import Resize

from lstmtui.help import topic_of
from lstmtui.help.page import line_about, page_lines
from lstmtui.tui.screens.page import PageScreen
from lstmtui.tui.theme import Look

_NARROWEST = 20
"""Columns that a topic is laid out in at least; where there are fewer, its lines are wrapped once more."""


class TopicScreen(PageScreen[bool | None]):
    """A page of the reference, laid out in the width there is.

    Args:
        look: what the terminal can show.
        word: a topic, or what one has a line about, which is brought in sight.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter,question_mark,f1", "leave", "back")]

    def __init__(self, look: Look, word: str) -> None:
        super().__init__(look, "Help", "↑ ↓ scroll  / filter  esc")
        self.word, self.topic = word, topic_of(word)

    @on(Resize)
    def _lay_out(self) -> None:
        lines = page_lines(self.topic, max(_NARROWEST, self.text.size.width))
        self.show_lines(lines)
        self.call_after_refresh(self.text.scroll_to_row, line_about(self.word, lines))


class PanelHelpScreen(TopicScreen):
    """The part of the reference about a panel; its result is whether everything else is wanted, too."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("question_mark,f1", "all", "all keys")]

    def action_all(self) -> None:
        """Leave for the list of everything."""
        self.dismiss(True)

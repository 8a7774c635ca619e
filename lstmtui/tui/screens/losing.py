"""Asks before what-ifs are lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from lstmtui.printable import printable
from lstmtui.tui.screens.dialog import Dialog
from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.text_lines import TextLines

SHOWN = 8
"""So many what-ifs are named."""


class LosingScreen(Dialog[bool]):
    """Asks whether to continue although what-ifs will be lost; returns the answer.

    Args:
        look: what the terminal can show.
        doing: what would lose them: quit, or open something else.
        what_ifs: in words.
    """

    DEFAULT_CSS = """
    LosingScreen { align: center middle; }
    LosingScreen > Vertical { width: 90%; max-width: 90; height: auto; max-height: 90%;
                              border: round $border; padding: 0 1; }
    LosingScreen TextLines { height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y,enter,q,ctrl+c", "go_on", "go on"),
        Binding("n", "leave", "stay"),
    ]

    def __init__(self, look: Look, doing: str, what_ifs: Sequence[str]) -> None:
        super().__init__()
        self.doing, self.what_ifs = doing, tuple(what_ifs)
        self.text = TextLines(look, wraps=True)

    def compose(self) -> ComposeResult:
        with Vertical():
            yield self.text

    def on_mount(self) -> None:
        """Ask."""
        count = len(self.what_ifs)
        named = [((f"  {printable(text)}", "text"),) for text in self.what_ifs[:SHOWN]]
        more = [((f"  and {count - SHOWN} more", "muted"),)] if count > SHOWN else []
        what = "a what-if that is" if count == 1 else f"{count} what-ifs that are"
        self.text.set_lines(
            [
                ((f"{self.doing[0].upper()}{self.doing[1:]}, and lose {what} kept nowhere?", "title"),),
                *named,
                *more,
                (("y", "key"), (f"  {self.doing}    ", "muted"), ("Esc", "key"), ("  stay", "muted")),
            ]
        )

    def action_go_on(self) -> None:
        """Go on, and lose them."""
        self.dismiss(True)

"""The question which timestep to go to."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Label

from lstmtui.tui.theme import Look


class GotoScreen(ModalScreen[int | None]):
    """Asks for a timestep; returns it, or None when left with Escape."""

    DEFAULT_CSS = """
    GotoScreen { align: center middle; }
    GotoScreen > Vertical { width: 44; height: auto; border: round $border; padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "leave")]

    def __init__(self, last_t: int, look: Look) -> None:
        super().__init__()
        self.last_t = last_t
        self.arrow = "-" if look.ascii else "–"

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Label(f"Go to timestep (0{self.arrow}{self.last_t})", markup=False)
            yield Input(type="integer", placeholder="t", restrict=r"-?[0-9]*", max_length=12, compact=True)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter: go there; a negative number counts from the end."""
        text = event.value.strip()
        if not text.lstrip("-"):
            self.dismiss(None)
            return
        t = int(text)
        self.dismiss(self.last_t + 1 + t if t < 0 else t)

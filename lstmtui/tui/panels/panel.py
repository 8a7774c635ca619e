"""What every panel has: a number, a title, and a way to be shown the session."""

from __future__ import annotations

from collections.abc import Hashable

from textual.containers import Container
from textual.content import Content
from textual.message import Message

from lstmtui.session import Session
from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.spans import crop


class Panel(Container, can_focus=True):
    """A bordered part of the screen. It is told of every move by `show`, and draws what changed."""

    DEFAULT_CSS = """
    Panel { width: 1fr; height: 1fr; border: round $border-blurred; border-title-align: left;
            border-title-color: $foreground; border-subtitle-color: $foreground 60%; }
    Panel.-gone { display: none; }
    Panel:focus, Panel:focus-within { border: round $border; }
    """

    NUMBER = 0
    TITLE = ""

    class Picked(Message):
        """A timestep or a unit was clicked."""

        def __init__(self, *, t: int | None = None, unit: int | None = None) -> None:
            super().__init__()
            self.t, self.unit = t, unit

    def __init__(self, look: Look) -> None:
        super().__init__(id=f"panel-{self.NUMBER}")
        self.look = look
        self._shown: Hashable = None
        self._titles = ("", "")
        self.set_title(self.TITLE)

    def show(self, session: Session) -> None:
        """Draw what the session's cursor is on; called after every move and resize."""

    @property
    def on_screen(self) -> bool:
        """Whether the panel has a place on the screen as it is."""
        return self.display and self.size.area > 0

    def fits(self, session: Session) -> bool:
        """Whether the selected cell has what this panel shows."""
        return True

    def set_title(self, text: str, detail: str = "") -> None:
        """The title in the border, after the panel's number, and a detail in the lower border."""
        if (text, detail) != self._titles:
            self._titles = (text, detail)
            self._write_titles()

    def on_resize(self) -> None:
        """Crop the titles to the new width."""
        self._write_titles()

    def _write_titles(self) -> None:
        text, detail = self._titles
        width = self.outer_size.width - 6
        self.border_title = Content(self._fitted(f"{self.NUMBER} {text}", width))
        self.border_subtitle = Content(self._fitted(detail, width))

    def _fitted(self, text: str, width: int) -> str:
        """Text that is safe to show, cropped."""
        return "".join(piece for piece, _ in crop(((text, "title"),), width, self.look))

    def changed(self, *facts: Hashable) -> bool:
        """Whether these facts differ from those of the last call: what depends on them must be drawn."""
        if facts == self._shown:
            return False
        self._shown = facts
        return True

    def forget(self) -> None:
        """Draw everything the next time."""
        self._shown = None

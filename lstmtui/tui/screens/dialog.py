"""What every dialog has: it is left once, and only it is left; Escape leaves it, and ? has the help."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, TypeVar

from textual import on
from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.events import ScreenResume
from textual.screen import ModalScreen
from textual.widget import Widget

from lstmtui.tui.compat import is_ending
from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.spans import safe

Result = TypeVar("Result")


def write_border(box: Widget, look: Look, title: str, below: str = "") -> None:
    """Write into the border of a box: as text, in which brackets are no markup."""
    box.border_title, box.border_subtitle = Content(safe(title, look)), Content(safe(below, look))


class Dialog(ModalScreen[Result]):
    """A screen over another one, which is left with one result.

    Textual takes whatever is on top off the screen, as often as it is asked to. So the first result counts:
    the second of two keys or clicks, and work that ends later, leave nothing. Where another dialog is on
    top, this one is left after that.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,ctrl+c", "leave", "leave"),
        Binding("question_mark,f1", "help", "help"),
    ]

    @property
    def hints(self) -> Sequence[tuple[str, str]]:
        """Its keys and what they do, for the line at the foot of the screen below."""
        return (("esc", "leave"), ("?", "help"))

    _is_left = False
    _result: Result | None = None

    def dismiss(self, result: Result | None = None) -> AwaitComplete:
        """Leave with a result; without effect after the first time, and where the app is ending."""
        if self._is_left or is_ending(self.app):
            return AwaitComplete()
        self._is_left, self._result = True, result
        return super().dismiss(result) if self.is_active else AwaitComplete()

    @on(ScreenResume)
    def _leave_now(self) -> None:
        if self._is_left and self.is_active:
            super().dismiss(self._result)

    def action_leave(self) -> None:
        """Leave without a result."""
        self.dismiss(None)

    async def action_help(self) -> None:
        """Keys and glossary."""
        await self.app.run_action("help")

"""The earlier messages, to be read again."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import ClassVar, NamedTuple

from textual.binding import Binding, BindingType

from lstmtui.session import Stop
from lstmtui.tui.screens.page import PageScreen
from lstmtui.tui.theme import Look

MOST_MESSAGES = 1_000
"""Older ones are forgotten."""


class Message(NamedTuple):
    """A message, and the timestep at which it was shown."""

    t: int
    stop: Stop


class MessageLog(deque[Message]):
    """The latest messages, the newest last."""

    def __init__(self) -> None:
        super().__init__(maxlen=MOST_MESSAGES)


class MessagesScreen(PageScreen[None]):
    """The messages, the newest last and in sight.

    Args:
        look: what the terminal can show.
        messages: oldest first.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "leave", "back")]

    def __init__(self, look: Look, messages: Iterable[Message]) -> None:
        super().__init__(look, "What was said", "↑ ↓ scroll  / filter  esc")
        self.messages = tuple(messages)

    def on_mount(self) -> None:
        """Write the lines, and show the end."""
        lines = [
            ((f"t={message.t:<6} ", "cursor"), (message.stop.text, "text" if message.stop.ok else "warning"))
            for message in self.messages
        ]
        self.show_lines(lines or [(("nothing has been said yet", "muted"),)])
        self.call_after_refresh(self.action_scroll, len(lines))

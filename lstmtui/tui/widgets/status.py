"""One row of facts."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TypeAlias

from rich.cells import cell_len
from textual.message import Message

from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.line_widget import LineWidget
from lstmtui.tui.widgets.spans import Spans, crop, safe

Part: TypeAlias = tuple[Spans, str]
"""A piece of a line, and the action that a click on it does; empty: none."""


class StatusLine(LineWidget):
    """A single row of text with roles, sent again only from where it changed."""

    DEFAULT_CSS = "StatusLine { width: 1fr; height: 1; }"

    class Clicked(Message):
        """A piece that has an action was clicked."""

        def __init__(self, action: str) -> None:
            super().__init__()
            self.action = action

    def __init__(self, look: Look | None = None, *, id: str | None = None) -> None:
        super().__init__(look, id=id)
        self._spans: Spans = ()
        self._parts: Sequence[Part] = ()

    def set_spans(self, spans: Sequence[tuple[str, str]]) -> None:
        """Show ((text, role), …), cropped to the width."""
        self._spans, self._parts = tuple(spans), ()
        self.update()

    def set_parts(self, parts: Sequence[Part]) -> None:
        """Show spans in parts that can be clicked."""
        self.set_spans([span for spans, _ in parts for span in spans])
        self._parts = parts

    def clicked(self, x: int, y: int) -> Message | None:
        end = 0
        for spans, action in self._parts:
            end += sum(cell_len(safe(text, self.look)) for text, _ in spans)
            if x < end:
                return self.Clicked(action) if action else None
        return None

    def line_keys(self, width: int, height: int) -> Sequence[Hashable]:
        return [crop(self._spans, width, self.look)]

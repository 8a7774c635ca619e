"""One row of facts."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from rich.segment import Segment

from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.line_widget import LineWidget
from lstmtui.tui.widgets.spans import Spans, crop, segments


class StatusLine(LineWidget):
    """A single row of text with roles, sent again only from where it changed."""

    DEFAULT_CSS = "StatusLine { width: 1fr; height: 1; }"

    def __init__(
        self, look: Look | None = None, *, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(look, id=id, classes=classes)
        self._spans: Spans = ()

    def set_spans(self, spans: Sequence[tuple[str, str]]) -> None:
        """Show ((text, role), …), cropped to the width."""
        self._spans = tuple(spans)
        self.update()

    def line_keys(self, width: int, height: int) -> Sequence[Hashable]:
        return [crop(self._spans, width, self.look)]

    def draw_line(self, key: Hashable, width: int) -> list[Segment]:
        return segments(key, self.look)  # type: ignore[arg-type]

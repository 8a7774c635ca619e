"""Lines in which texts and stretches of maps stand side by side."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import TypeAlias

from rich.segment import Segment
from textual.message import Message

from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.heatmap import LineKey, heat_segments
from lstmtui.tui.widgets.lane_head import Swatches, swatches
from lstmtui.tui.widgets.line_widget import LineWidget
from lstmtui.tui.widgets.spans import segments

Part: TypeAlias = "tuple[str, str] | Swatches | LineKey"
"""A text with its role, a key of colours, or one line of a map."""


class MapRows(LineWidget):
    """Lines of parts."""

    DEFAULT_CSS = "MapRows { width: 1fr; height: 1fr; }"

    class Clicked(Message):
        """A line was clicked."""

        def __init__(self, line: int) -> None:
            super().__init__()
            self.line = line

    def __init__(self, look: Look | None = None) -> None:
        super().__init__(look)
        self._lines: tuple[tuple[Part, ...], ...] = ()

    def set_lines(self, lines: Iterable[Sequence[Part]]) -> None:
        """Show these lines."""
        self._lines = tuple(tuple(line) for line in lines)
        self.update()

    def line_keys(self, width: int, height: int) -> Sequence[Hashable]:
        return self._lines[:height]

    def draw_line(self, key: Hashable, width: int) -> list[Segment]:
        parts: tuple[Part, ...] = key  # type: ignore[assignment]
        return [segment for part in parts for segment in self._segments(part)]

    def _segments(self, part: Part) -> list[Segment]:
        if isinstance(part, Swatches):
            return [Segment(text, style) for text, style in swatches(part.kind, self.look)]
        if isinstance(part[0], bytes):
            return heat_segments(part, self.look)
        return segments((part,), self.look)

    def clicked(self, x: int, y: int) -> Message | None:
        return self.Clicked(y) if y < len(self._lines) else None

"""Lines of text with roles: equations, values, notes."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

from textual.geometry import Size
from textual.message import Message

from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.line_widget import LineWidget
from lstmtui.tui.widgets.spans import Spans, crop, wrap


class TextLines(LineWidget):
    """Lines of spans, cropped with … or wrapped, and scrolled by whole lines."""

    DEFAULT_CSS = "TextLines { width: 1fr; height: 1fr; }"

    class Clicked(Message):
        """A line was clicked, counted in the lines that were set."""

        def __init__(self, line: int) -> None:
            super().__init__()
            self.line = line

    def __init__(self, look: Look | None = None, *, wraps: bool = False, id: str | None = None) -> None:
        super().__init__(look, id=id)
        self.wraps = wraps
        """Whether lines are wrapped or cropped; for the lines that are set next."""
        self._lines: tuple[Spans, ...] = ()
        self._wrapped: list[tuple[int, Spans]] = []
        self._rows_of: dict[Spans, list[Spans]] = {}
        """Of each line its rows, at the width and in the look for which it was wrapped."""
        self._wrapped_for: tuple[int, Look] | None = None
        self._top = 0

    def set_lines(self, lines: Iterable[Sequence[tuple[str, str]]]) -> None:
        """Show these lines, each ((text, role), …); the scroll position stays where it can."""
        before = len(self._lines)
        self._lines = tuple(tuple(line) for line in lines)
        self.update()
        if self.is_attached and self.styles.is_auto_height and (self.wraps or len(self._lines) != before):
            self.refresh(layout=True)

    @property
    def row_count(self) -> int:
        """How many rows the lines take at the present width."""
        return len(self._wrapped) if self.wraps else len(self._lines)

    @property
    def top(self) -> int:
        """The first row on screen."""
        return self._top

    def scroll_to_row(self, top: int) -> None:
        """Bring a row to the top, as far as there are rows to fill the height."""
        top = max(0, top)
        if top != self._top:
            self._top = top
            self.update()

    def scroll_to_line(self, line: int) -> None:
        """Scroll as little as shows all of a line; of one higher than the widget, its beginning."""
        rows = [row for row in range(self.row_count) if self._line_of(row) == line] if self.wraps else [line]
        if 0 <= line < len(self._lines) and rows:
            self.scroll_to_row(min(max(self._top, rows[-1] + 1 - self._extent.height), rows[0]))

    def line_keys(self, width: int, height: int) -> Sequence[Hashable]:
        if self.wraps:
            self._wrap(width)
        self._top = max(0, min(self._top, self.row_count - height))
        window = slice(self._top, self._top + height)
        if self.wraps:
            return [row for _, row in self._wrapped[window]]
        return [crop(line, width, self.look) for line in self._lines[window]]

    def _wrap(self, width: int) -> None:
        """Wrap the lines; one that stays, as all do while they are scrolled, is not wrapped again."""
        before = self._rows_of if self._wrapped_for == (width, self.look) else {}
        self._wrapped_for = width, self.look
        self._rows_of = {line: before.get(line) or wrap(line, width, self.look) for line in self._lines}
        self._wrapped = [
            (number, row) for number, line in enumerate(self._lines) for row in self._rows_of[line]
        ]

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """The height that shows every line, for `height: auto`."""
        return sum(len(wrap(line, width, self.look)) if self.wraps else 1 for line in self._lines)

    def clicked(self, x: int, y: int) -> Message | None:
        row = self._top + y
        return self.Clicked(self._line_of(row)) if row < self.row_count else None

    def _line_of(self, row: int) -> int:
        """The line that a row belongs to."""
        return self._wrapped[row][0] if self.wraps else row

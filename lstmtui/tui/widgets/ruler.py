"""One row of time: where the cursor, the breakpoints and their hits are on the page."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.segment import Segment
from textual.message import Message

from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.columns import ColumnMap
from lstmtui.tui.widgets.line_widget import LineWidget
from lstmtui.tui.widgets.spans import Spans, safe, segments

_SIGNS = {"rule": "─", "hit": "○", "breakpoint": "●", "cursor": "▼"}
_ASCII_SIGNS = {"rule": "-", "hit": "o", "breakpoint": "*", "cursor": "V"}


@dataclass(frozen=True)
class Marks:
    """What a ruler shows: timesteps `start` to before `stop`, and the marked ones among them."""

    start: int = 0
    stop: int = 0
    cursor: int | None = None
    breakpoints: frozenset[int] = frozenset()
    hits: frozenset[int] = frozenset()
    text: str = ""
    """Shown at the right end, in the unused columns where they suffice: the page's place in the run."""


class Ruler(LineWidget):
    """The row above or below a map that carries the cursor, so that the map itself can stay still."""

    DEFAULT_CSS = "Ruler { width: 1fr; height: 1; }"

    class Clicked(Message):
        """A column of the page was clicked."""

        def __init__(self, ruler: Ruler, column: int) -> None:
            super().__init__()
            self.ruler, self.column = ruler, column

        @property
        def control(self) -> Ruler:
            return self.ruler

    def __init__(
        self, look: Look | None = None, *, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(look, id=id, classes=classes)
        self._marks = Marks()
        self._columns: ColumnMap | None = None

    def set(
        self,
        start: int,
        stop: int,
        columns: ColumnMap | None = None,
        cursor: int | None = None,
        breakpoints: Collection[int] = (),
        hits: Collection[int] = (),
        text: str = "",
    ) -> None:
        """Show timesteps `start` to before `stop`; marks outside of them are not shown."""
        self._columns = columns
        page = range(start, stop)
        self._marks = Marks(
            start,
            stop,
            cursor if cursor in page else None,
            frozenset(t for t in breakpoints if t in page),
            frozenset(t for t in hits if t in page),
            text,
        )
        self.update()

    def move(self, cursor: int | None) -> None:
        """Move the cursor to another timestep of the same page."""
        marks = self._marks
        self.set(marks.start, marks.stop, self._columns, cursor, marks.breakpoints, marks.hits, marks.text)

    def line_keys(self, width: int, height: int) -> Sequence[Hashable]:
        return [ruler_spans(self._marks, self._map(width), width, self.look)]

    def draw_line(self, key: Hashable, width: int) -> list[Segment]:
        return segments(key, self.look)  # type: ignore[arg-type]

    def clicked(self, x: int, y: int) -> Message | None:
        column = self._map(self._extent.width).column_at(x)
        return None if column is None else self.Clicked(self, column)

    def _map(self, width: int) -> ColumnMap:
        return self._columns or ColumnMap(self._marks.stop - self._marks.start, width)


def ruler_spans(marks: Marks, columns: ColumnMap, width: int, look: Look) -> Spans:
    """The ruler's row; where marks share a column the cursor hides a breakpoint, and that a hit."""
    length = marks.stop - marks.start
    used = min(columns.used, width)
    if length <= 0 or used <= 0:
        return ()
    signs = _ASCII_SIGNS if look.ascii else _SIGNS
    row = ["rule"] * used
    cursor = () if marks.cursor is None else (marks.cursor,)
    for role, timesteps in (("hit", marks.hits), ("breakpoint", marks.breakpoints), ("cursor", cursor)):
        for t in timesteps:
            at = columns.center_of((t - marks.start) * columns.columns // length)
            if at < used:
                row[at] = role
    text = safe(marks.text, look)
    free = width - used
    spans = _runs(row, signs)
    size = cell_len(text) + 1
    if not text or size > width // 2:
        return spans
    if size <= free:
        return (*spans, (" " * (free - size + 1), "muted"), (text, "muted"))
    under = row[width - size : used]
    if any(role != "rule" for role in under):
        return spans
    return (*_runs(row[: width - size], signs), (" " + text, "muted"))


def _runs(row: Sequence[str], signs: dict[str, str]) -> Spans:
    spans: list[tuple[str, str]] = []
    for role in row:
        if spans and spans[-1][1] == role:
            spans[-1] = (spans[-1][0] + signs[role], role)
        else:
            spans.append((signs[role], role))
    return tuple(spans)

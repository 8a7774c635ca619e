"""Units by timesteps as colours: two units per character where the terminal can, glyphs where not."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.message import Message

from lstmtui.tui.palette import BLANK, MARKS, MIXED, UNBOUND, Kind, level_index, palette
from lstmtui.tui.theme import Look, style_for
from lstmtui.tui.widgets.columns import ColumnMap
from lstmtui.tui.widgets.line_widget import LineWidget

LineKey: TypeAlias = tuple[bytes, bytes, ColumnMap, Kind]
"""The levels of the upper and the lower half of a line, where its columns are, and the palette."""

_INK = Color.from_ansi(16)


class Heatmap(LineWidget):
    """A map of (timesteps, units); a non-finite value takes its whole character, with its mark."""

    DEFAULT_CSS = "Heatmap { width: 1fr; height: 1fr; }"

    class Clicked(Message):
        """A cell was clicked: a column of the page and a row of the data."""

        def __init__(self, heatmap: Heatmap, column: int, row: int) -> None:
            super().__init__()
            self.heatmap, self.column, self.row = heatmap, column, row

    def __init__(self, look: Look | None = None) -> None:
        super().__init__(look)
        self._values: NDArray[np.floating] = np.zeros((0, 0))
        self._bounds: tuple[float, float] = (0.0, 1.0)
        self._kind: Kind = "sequential"
        self._mask: NDArray[np.bool_] | None = None
        self._columns: ColumnMap | None = None
        self._unbound: NDArray[np.bool_] | None = None

    def set_data(
        self,
        values: NDArray[np.floating],
        low: float = 0.0,
        high: float = 1.0,
        kind: Kind = "sequential",
        mask: NDArray[np.bool_] | None = None,
        columns: ColumnMap | None = None,
        unbound: NDArray[np.bool_] | None = None,
    ) -> None:
        """Show `values` (columns, rows): a column per timestep of the page, a row per unit.

        `mask` (columns, rows) is true where there is no value. `columns` places the columns; left out,
        they fill the width. `unbound` (columns,) is true where a dot says that there is none. At most
        `row_capacity` rows have a place: bin the units before.
        """
        self._values, self._bounds, self._kind, self._mask = values, (low, high), kind, mask
        self._columns, self._unbound = columns, unbound
        self.update()

    def line_of(self, row: int) -> int:
        """The line a row of data begins on, for labels beside the map."""
        return row * self._row_height // (2 if self.look.half_blocks else 1)

    @property
    def _row_height(self) -> int:
        return row_height(self._values.shape[1], self._extent.height, self.look)

    def line_keys(self, width: int, height: int) -> Sequence[Hashable]:
        columns = self._columns or ColumnMap(self._values.shape[0], width)
        levels = level_index(
            self._values, *self._bounds, self._kind, palette(self._kind, self.look).levels, self._mask
        )
        if self._unbound is not None:
            levels[self._unbound] = UNBOUND
        return heat_keys(levels[: columns.shown], height, columns, self._kind, self.look)

    def draw_line(self, key: Hashable, width: int) -> list[Segment]:
        return heat_segments(key, self.look)  # type: ignore[arg-type]

    def clicked(self, x: int, y: int) -> Message | None:
        rows = self._values.shape[1]
        column = (self._columns or ColumnMap(self._values.shape[0], self._extent.width)).column_at(x)
        row = y * (2 if self.look.half_blocks else 1) // self._row_height
        return self.Clicked(self, column, row) if column is not None and 0 <= row < rows else None


def row_capacity(height: int, look: Look) -> int:
    """How many rows of data fit into `height` lines."""
    return height * 2 if look.half_blocks else height


def row_height(rows: int, height: int, look: Look) -> int:
    """How many half lines (lines where glyphs are drawn) each row takes: all equal, at least 1."""
    return max(1, row_capacity(height, look) // rows) if rows else 1


def heat_keys(
    levels: NDArray[np.uint8], height: int, places: ColumnMap, kind: Kind, look: Look
) -> list[LineKey]:
    """The key of every line that shows something, from level indices (columns, rows)."""
    columns, rows = levels.shape
    tall = np.repeat(levels.T, row_height(rows, height, look), axis=0)[: row_capacity(height, look)]
    if not look.half_blocks:
        return [(line.tobytes(), b"", places, kind) for line in tall]
    if len(tall) % 2:
        tall = np.vstack([tall, np.full((1, columns), BLANK, np.uint8)])
    return [
        (upper.tobytes(), lower.tobytes(), places, kind)
        for upper, lower in zip(tall[::2], tall[1::2], strict=True)
    ]


def heat_segments(key: LineKey, look: Look) -> list[Segment]:
    """One line of the map, runs of equal cells merged."""
    upper, lower, places, kind = key
    codes = np.frombuffer(upper, np.uint8).astype(np.uint16)
    if not codes.size:
        return []
    codes = (codes << 8 | (np.frombuffer(lower, np.uint8) if lower else codes)).astype(np.uint16)
    starts = np.flatnonzero(np.diff(codes, prepend=np.uint16(codes[0] ^ 1)))
    edges = [places.edge_of(column) for column in (*starts.tolist(), codes.size)]
    drawn = []
    for code, (start, stop) in zip(codes[starts].tolist(), pairwise(edges), strict=True):
        character, style = _cell(code >> 8, code & 255, kind, look)
        drawn.append(Segment(character * (stop - start), style))
    return drawn


@lru_cache(maxsize=4096)
def _cell(upper: int, lower: int, kind: Kind, look: Look) -> tuple[str, Style]:
    """The character and the style for an upper and a lower level (the same where glyphs are drawn)."""
    chosen = palette(kind, look)
    marks = [mark for mark in MARKS if mark in (upper, lower)]
    if marks:
        paper = chosen.marks[marks[0]]
        style = Style.from_color(_INK, paper) if paper else Style(reverse=True)
        return (MIXED if len(marks) > 1 else MARKS[marks[0]]), style
    if UNBOUND in (upper, lower):
        return ("." if look.ascii else "·"), style_for("muted", look)
    if upper == BLANK and lower == BLANK:
        return " ", Style.null()
    if chosen.glyphs:
        return chosen.glyphs[upper], Style.from_color(chosen.colors[upper])
    if upper == lower:
        return " ", Style.from_color(None, chosen.colors[upper])
    if lower == BLANK:
        return "▀", Style.from_color(chosen.colors[upper])
    if upper == BLANK:
        return "▄", Style.from_color(chosen.colors[lower])
    return "▀", Style.from_color(chosen.colors[upper], chosen.colors[lower])

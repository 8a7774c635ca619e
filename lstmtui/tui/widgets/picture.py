"""Rows of text in which a number may have the colour that a map gives it."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from rich.cells import cell_len
from rich.color import Color
from rich.segment import Segment
from rich.style import Style

from lstmtui.tui.palette import MARKS, Kind, level_index, palette
from lstmtui.tui.theme import Look, style_for
from lstmtui.tui.widgets.line_widget import LineWidget
from lstmtui.tui.widgets.spans import safe

_DARK, _LIGHT = Color.from_ansi(16), Color.from_ansi(231)
_LIGHT_FROM = 140
"""The lightness of a background, of 255, from which on what is written on it is dark."""


@dataclass(frozen=True)
class Shade:
    """The position of a number on the scale of a map."""

    value: float
    limit: float
    kind: Kind


@dataclass(frozen=True)
class Piece:
    """Text with a role, or a number on the colour of a map."""

    text: str
    role: str
    shade: Shade | None = None
    is_bold: bool = False


class Picture(LineWidget):
    """Rows of pieces, of which a window of the widget's size is shown."""

    DEFAULT_CSS = "Picture { width: 1fr; height: 1fr; }"

    def __init__(self, look: Look | None = None) -> None:
        super().__init__(look)
        self._rows: tuple[tuple[Piece, ...], ...] = ()
        self._left, self._top = 0, 0

    def set_rows(self, rows: Iterable[Sequence[Piece]], left: int = 0, top: int = 0) -> None:
        """Show rows from a column and a row on."""
        self._rows = tuple(tuple(row) for row in rows)
        self._left, self._top = left, top
        self.update()

    def line_keys(self, width: int, height: int) -> Sequence[Hashable]:
        return [tuple(_window(row, self._left, width)) for row in self._rows[self._top : self._top + height]]

    def draw_line(self, key: Hashable, width: int) -> list[Segment]:
        pieces: tuple[Piece, ...] = key  # type: ignore[assignment]
        return [Segment(safe(piece.text, self.look), piece_style(piece, self.look)) for piece in pieces]


def piece_style(piece: Piece, look: Look) -> Style:
    """How a piece is drawn: a number as the map of its quantity has it, as far as there are colours."""
    style = style_for(piece.role, look)
    if piece.is_bold:
        style += Style(bold=True)
    if piece.shade is None:
        return style
    shade, chosen = piece.shade, palette(piece.shade.kind, look)
    low = 0.0 if shade.kind == "sequential" else -shade.limit
    level = int(level_index(np.array([shade.value]), low, shade.limit, shade.kind, chosen.levels)[0])
    color = chosen.marks[level] if level in MARKS else chosen.colors[level]
    if color is None:
        return style
    if chosen.glyphs and level not in MARKS:
        return style + Style(color=color)
    light = sum(part * by for part, by in zip(color.get_truecolor(), (0.3, 0.59, 0.11), strict=True))
    ink = _DARK if light >= _LIGHT_FROM else _LIGHT
    return style + Style.from_color(ink, color)


def _window(row: Sequence[Piece], left: int, width: int) -> Iterable[Piece]:
    """The pieces of a row within a window, cut at its edges."""
    at = 0
    for piece in row:
        end = at + cell_len(piece.text)
        if end > left and at < left + width:
            text = piece.text[max(0, left - at) : max(0, left + width - at)]
            yield Piece(text, piece.role, piece.shade, piece.is_bold)
        at = end

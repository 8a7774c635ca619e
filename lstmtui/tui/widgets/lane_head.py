"""The line above a lane: its title, the key to its colours or lines, and the cursor's column."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TypeAlias

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style

from lstmtui.tui.palette import Kind, palette
from lstmtui.tui.theme import Look, style_for
from lstmtui.tui.widgets.line_widget import LineWidget
from lstmtui.tui.widgets.spans import crop_words, safe

_SWATCHES = 5
"""Columns of a colour key."""
_EDGES, _BETWEEN = 4, 2
"""Columns round title and key, and between them."""


@dataclass(frozen=True)
class Swatches:
    """The colours of a kind of map, from one end to the other."""

    kind: Kind


Key: TypeAlias = tuple["tuple[str, str] | Swatches", ...]
"""Texts with a role each, and colours between them."""


class LaneHead(LineWidget):
    """A rule across the lane; the title stays whole, the key and the detail give way."""

    DEFAULT_CSS = "LaneHead { width: 1fr; height: 1; }"

    def __init__(self, look: Look | None = None) -> None:
        super().__init__(look)
        self._titles: tuple[str, ...] = ()
        self._legends: tuple[Key, ...] = ()
        self._detail = ""
        self._cursor: int | None = None
        self._focused = False

    def set_text(self, titles: Sequence[str], keys: Sequence[Key], detail: str) -> None:
        """What is shown, how to read it, and what is said at the right.

        Of titles and keys there are several forms, the longest first: those that fit are shown, a longer key
        rather than a longer title.
        """
        self._titles, self._legends, self._detail = tuple(titles), tuple(keys), detail
        self.update()

    def has_room(self, title: str, key: Key, width: int) -> bool:
        """Whether a title and a key fit in a line so wide."""
        return cell_len(safe(title, self.look)) + len(list(self._key_cells(key))) + _BETWEEN + _EDGES <= width

    def set_cursor(self, column: int | None) -> None:
        """Mark the column of the cursor where the rule shows: what is written there stays legible."""
        self._cursor = column
        self.update()

    def set_focused(self, focused: bool) -> None:
        """Whether the lane has the focus: the rule is heavier then."""
        self._focused = focused
        self.update()

    @property
    def cursor(self) -> int | None:
        """The column that is marked."""
        return self._cursor

    def line_keys(self, width: int, height: int) -> Sequence[Hashable]:
        return [(self._titles, self._legends, self._detail, self._cursor, self._focused)]

    def draw_line(self, key: Hashable, width: int) -> list[Segment]:
        cells = list(self._cells(width))[:width]
        rule, crossing = ("─", "┼") if not self.look.ascii else ("-", "+")
        if self._focused:
            rule, crossing = ("━", "┿") if not self.look.ascii else ("=", "+")
        style = style_for("accent" if self._focused else "rule", self.look)
        if self._cursor is not None and 0 <= self._cursor < len(cells) and cells[self._cursor][0] == "":
            cells[self._cursor] = crossing, style_for("cursor", self.look)
        cells = [(rule, style) if text == "" else (text, own) for text, own in cells]
        return [
            Segment("".join(text for text, _ in run), own) for own, run in groupby(cells, key=lambda c: c[1])
        ]

    def _cells(self, width: int) -> Iterator[tuple[str, Style]]:
        """One character after the other; "" where the rule shows."""
        blank, rule = (" ", Style.null()), ("", Style.null())
        left, key = self._chosen(width - _EDGES)
        style = style_for("title" if self._focused else "text", self.look)
        if self._focused and self.look.depth == "none":
            style += Style(reverse=True)
        title = [(character, style) for character in left]
        left_cells = [rule, blank, *title, blank, *([blank, *key, blank] if key else [])]
        detail = [(c, style_for("muted", self.look)) for c in safe(self._detail, self.look)]
        right = [blank, *detail, blank, rule] if detail else []
        if len(left_cells) + len(right) + 1 > width:
            right = []
        yield from left_cells
        yield from [rule] * (width - len(left_cells) - len(right))
        yield from right

    def _chosen(self, width: int) -> tuple[str, list[tuple[str, Style]]]:
        """The title and the key that fit."""
        titles = [safe(title, self.look) for title in self._titles]
        for form in self._legends:
            key = list(self._key_cells(form))
            for title in titles:
                if key and cell_len(title) + len(key) + _BETWEEN <= width:
                    return title, key
        shortest = titles[-1] if titles else ""
        fitting = next((title for title in titles if cell_len(title) <= width), None)
        return crop_words(shortest, width, self.look) if fitting is None else fitting, []

    def _key_cells(self, key: Key) -> Iterator[tuple[str, Style]]:
        for part in key:
            if isinstance(part, Swatches):
                yield from swatches(part.kind, self.look)
            else:
                style = style_for(part[1], self.look)
                yield from ((character, style) for character in safe(part[0], self.look))


def swatches(kind: Kind, look: Look) -> Iterator[tuple[str, Style]]:
    """The cells of a key of colours, from the lowest value to the highest."""
    chosen = palette(kind, look)
    for at in range(_SWATCHES):
        level = round(at * (chosen.levels - 1) / (_SWATCHES - 1))
        if chosen.glyphs:
            yield chosen.glyphs[level], Style.from_color(chosen.colors[level])
        else:
            yield " ", Style.from_color(None, chosen.colors[level])

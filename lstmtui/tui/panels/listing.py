"""The lines of a function with values beside them, fitted into the width of a panel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from rich.cells import cell_len

from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.spans import Spans, crop, wrap

NUMBER_WIDTH = 9
"""Columns of a value, and of "not bound"."""
_WIDE = 64
"""Columns below which code is indented half as far."""
_MOST_ERROR_ROWS = 4
_CODE_SHARE = 4
"""One column in so many is kept for code, however wide names are,"""
_LEAST_CODE = 8
"""where these are at least so many."""


@dataclass(frozen=True)
class Value:
    """A name with its value, beside the line that binds it."""

    name: str
    role: str
    text: str = ""
    """The value in words; empty: it is not bound yet."""
    text_role: str = "number"

    @property
    def width(self) -> int:
        """The columns it takes, whatever the number is."""
        return cell_len(self.name) + 1 + max(NUMBER_WIDTH, cell_len(self.text))

    def spans(self, width: int, look: Look) -> Spans:
        """The name and the number, which ends at the right; the name gives way where there is less room."""
        number = " " + self.text.rjust(NUMBER_WIDTH)
        name = crop(
            ((self.name, self.role if self.text else "muted"),), max(1, width - cell_len(number)), look
        )
        blank = " " * (width - cells(name) - cell_len(number))
        return ((blank, "text"), *name, (number, self.text_role))


@dataclass(frozen=True)
class Listing:
    """A function, and what its lines have bound."""

    code: Sequence[Spans]
    """Its lines; none where there is no source."""
    first_line: int
    """The number of the first line."""
    values: Mapping[int, Sequence[Value]]
    """By line."""
    marked: int | None = None
    """The line that the cursor is on."""
    errors: Mapping[int, str] = field(default_factory=dict)
    """What was raised at a line."""
    heading: Spans = ()

    def lines(self, *, folded: bool = False) -> Iterator[tuple[int, Spans]]:
        """(number, code) of every line, or of those that something is said of; first what has no code."""
        annotated = {*self.values, *self.errors, *((self.marked,) if self.marked is not None else ())}
        own = range(self.first_line, self.first_line + len(self.code))
        yield from ((number, ()) for number in sorted(annotated) if number not in own)
        for number, code in zip(own, self.code, strict=True):
            if not folded or number in annotated:
                yield number, code


def fitted(
    listings: Sequence[Listing], width: int, look: Look, *, folded: bool = False
) -> tuple[list[Spans], int | None]:
    """The rows of some functions, and the last row of the marked line.

    Values end in one column: at the right end of the widest line with its value, or of the panel.

    Args:
        listings: in order.
        width: of the panel.
        look: what the terminal can show.
        folded: leave out the lines of which nothing is said.
    """
    every = [(listing, [*listing.lines(folded=folded)]) for listing in listings]
    digits = max((len(str(number)) for _, lines in every for number, _ in lines), default=1)
    room = max(1, width - digits - 3)
    if room < _WIDE:
        every = [(listing, [(n, less_indented(code)) for n, code in lines]) for listing, lines in every]
    ends = (
        cells(code) + 2 + max(value.width for value in listing.values[number])
        for listing, lines in every
        for number, code in lines
        if listing.values.get(number)
    )
    end = min(room, max(ends, default=0))
    rows: list[Spans] = []
    marked = None
    for listing, lines in every:
        if listing.heading:
            rows.append(crop(listing.heading, width, look))
        for number, code in lines:
            is_marked = number == listing.marked
            gutter = (
                ("▸ " if is_marked else "  ", "cursor"),
                (f"{number or '':>{digits}} ", "cursor" if is_marked else "muted"),
            )
            blank: Spans = ((" " * (digits + 3), "text"),)
            beside = _rows_beside(code, listing.values.get(number, ()), room, end, look)
            rows += [(*(blank if at else gutter), *row) for at, row in enumerate(beside)]
            if number in listing.errors:
                error = wrap(((listing.errors[number], "error"),), room, look)
                rows += [(*blank, *row) for row in error[:_MOST_ERROR_ROWS]]
            if is_marked:
                marked = len(rows) - 1
    return rows, marked


def _rows_beside(code: Spans, values: Sequence[Value], room: int, end: int, look: Look) -> Iterator[Spans]:
    """A line of code with its values: as many in a row as leave room for it, at least one."""
    if not values:
        yield crop(code, room, look)
        return
    share = room // _CODE_SHARE
    least = min(share, cells(code)) if share >= _LEAST_CODE else 0
    free = end - cells(code) - 2
    at = 0
    while at < len(values):
        taken = [values[at]]
        while (
            at + len(taken) < len(values)
            and sum(v.width + 2 for v in taken) + values[at + len(taken)].width <= free
        ):
            taken.append(values[at + len(taken)])
        first, *others = reversed(taken)
        spans: Spans = ()
        for value in reversed(others):
            spans = (*spans, *value.spans(value.width, look), ("  ", "text"))
        width = min(first.width, max(NUMBER_WIDTH + 2, end - least - 2))
        spans = (*spans, *first.spans(width, look))
        left = crop(code, max(0, end - cells(spans) - 2), look) if at == 0 else ()
        yield (*left, (" " * (end - cells(spans) - cells(left)), "text"), *spans)
        at += len(taken)


@lru_cache(maxsize=4096)
def less_indented(code: Spans) -> Spans:
    """A line with half of the blanks it begins with."""
    if not code:
        return code
    (first, role), *others = code
    blanks = len(first) - len(first.lstrip(" "))
    return ((first[blanks // 2 :], role), *others)


@lru_cache(maxsize=4096)
def cells(spans: Spans) -> int:
    """The columns that spans take."""
    return sum(cell_len(text) for text, _ in spans)

"""One row of time: where the cursor, the breakpoints and their hits are on the page."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from rich.cells import cell_len

from lstmtui.tui.theme import UNDERLINED, Look
from lstmtui.tui.widgets.column_row import ColumnRow
from lstmtui.tui.widgets.columns import ColumnMap
from lstmtui.tui.widgets.spans import Spans, safe

_SIGNS = {"rule": "─", "tick": "┴", "hit": "○", "breakpoint": "●", "cursor": "▼"}
_ASCII_SIGNS = {"rule": "-", "tick": "+", "hit": "o", "breakpoint": "*", "cursor": "V"}
_TICK_GAP = 9
"""Columns from one tick to the next, at least."""


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
    per_column: int = 1
    """Timesteps that share a column."""

    @property
    def page(self) -> range:
        """The timesteps it shows."""
        return range(self.start, self.stop)


class Ruler(ColumnRow):
    """The row below the lanes that carries the cursor, so that maps can stay still."""

    DEFAULT_CSS = "Ruler { width: 1fr; height: 1; }"

    def __init__(self, look: Look | None = None) -> None:
        super().__init__(look)
        self._marks = Marks()

    def set(
        self,
        start: int,
        stop: int,
        columns: ColumnMap | None = None,
        cursor: int | None = None,
        breakpoints: Collection[int] = (),
        hits: Collection[int] = (),
        text: str = "",
        per_column: int = 1,
    ) -> None:
        """Show timesteps `start` to before `stop`; marks outside of them are not shown."""
        self.columns = columns
        page = range(start, stop)
        self._marks = Marks(
            start,
            stop,
            cursor if cursor in page else None,
            frozenset(t for t in breakpoints if t in page),
            frozenset(t for t in hits if t in page),
            text,
            per_column,
        )
        self.update()

    def move(self, cursor: int | None) -> None:
        """Move the cursor to another timestep of the same page."""
        self._marks = replace(self._marks, cursor=cursor if cursor in self._marks.page else None)
        self.update()

    def line_keys(self, width: int, height: int) -> Sequence[Hashable]:
        return [ruler_spans(self._marks, self.columns_in(width), width, self.look)]

    @property
    def count(self) -> int:
        return -(-len(self._marks.page) // self._marks.per_column)


def ruler_spans(marks: Marks, columns: ColumnMap, width: int, look: Look) -> Spans:
    """The ruler's row: ticks with their timesteps, and over them the marks.

    Where marks share a column the cursor hides a breakpoint, and that a hit. A mark takes the place of a
    tick, whose number stands where none is; where they are everywhere, digits are underlined in their colour.
    """
    length = marks.stop - marks.start
    used = min(columns.used, width)
    if length <= 0 or used <= 0:
        return ()
    signs = _ASCII_SIGNS if look.ascii else _SIGNS
    row = [(signs["rule"], "rule")] * used
    cursor = () if marks.cursor is None else (marks.cursor,)
    signed: dict[int, str] = {}
    for role, timesteps in (("hit", marks.hits), ("breakpoint", marks.breakpoints), ("cursor", cursor)):
        signed |= {at: role for t in timesteps if (at := _column(marks, columns, t)) < used}
    step = tick_step(used / max(1, columns.columns), marks.per_column)
    for t in range(-(-marks.start // step) * step, marks.stop, step):
        at = _column(marks, columns, t)
        if at + len(str(t)) < used:
            row[at] = (signs["tick"], "rule")
            for start in _number_at(at, len(str(t)), signed, used)[:1]:
                row[start : start + len(str(t))] = [(digit, "muted") for digit in str(t)]
    for at, role in signed.items():
        sign, _ = row[at]
        row[at] = (sign, role + UNDERLINED) if sign.isdigit() else (signs[role], role)
    text = safe(marks.text, look)
    free = width - used
    size = cell_len(text) + 1
    if not text or size > width // 2:
        return _runs(row)
    if size <= free:
        return (*_runs(row), (" " * (free - size + 1), "muted"), (text, "muted"))
    if not any(at >= width - size for at in signed):
        return (*_runs(row[: width - size]), (" " + text, "muted"))
    # What says how many timesteps a column stands for is never left out for a mark.
    if marks.per_column > 1 and not any(at < size for at in signed):
        return ((text + " ", "muted"), *_runs(row[size:]))
    return _runs(row)


def _number_at(tick: int, size: int, signed: Mapping[int, str], used: int) -> Sequence[int]:
    """Where the number of a tick may begin: behind it or before it, off all marks or at least the cursor."""
    places = [at for at in (tick + 1, tick - size) if 0 <= at <= used - size]
    free = [at for at in places if not any(column in signed for column in range(at, at + size))]
    return free or [at for at in places if "cursor" not in map(signed.get, range(at, at + size))]


def _column(marks: Marks, columns: ColumnMap, t: int) -> int:
    """Where a timestep is."""
    return columns.center_of((t - marks.start) // marks.per_column)


def tick_step(cell_width: float, per_column: int = 1) -> int:
    """How many timesteps lie between two ticks: 1, 2 or 5 times a power of ten."""
    step = 1
    while step * cell_width < _TICK_GAP * per_column:
        step = step * 5 // 2 if str(step).startswith("2") else step * 2
    return step


def _runs(row: Sequence[tuple[str, str]]) -> Spans:
    return tuple(
        ("".join(sign for sign, _ in run), role) for role, run in groupby(row, key=lambda cell: cell[1])
    )

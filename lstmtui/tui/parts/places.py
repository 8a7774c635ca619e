"""How much of the screen each panel gets: columns for lanes and for what stands beside them, and rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lstmtui.tui.panels.time_axis import BARS_MARGIN, MARGIN

WIDE = 100
"""Columns from which on the numbers stand beside the lanes; on fewer, below them."""
_SIDES = ((100, 120, 160), (46, 52, 76))
"""Widths of the screen, and the columns beside the lanes there: equations need no more."""
_PLOT_ROWS = 2
"""That a plot has at least."""
_MOST_PLOT_ROWS = 12
_HEADLESS = 18
"""Rows below which a lane of one band has no line for its title."""
_BORDER = 2
_MOST_WATCHED = 6
"""Lines of watches and breakpoints; more are scrolled."""
_LINES_OF_ONE = 3
"""Of an equation: its symbols, and its numbers in two lines."""
_ROOMY = 16
"""Rows from which on the lanes of a cell with one equation all have room above these."""
_LEAST_BESIDE = 5
"""Rows of a panel beside the lanes, with its border."""


def side_width(width: int, *, is_code: bool) -> int:
    """The columns beside the lanes of a screen so wide; 0: the numbers stand below. Code has longer lines."""
    if width < WIDE:
        return 0
    if is_code:
        return width // 2
    return round(float(np.interp(width, *_SIDES)))


def bars_margin(width: int) -> int:
    """The columns of bars and their numbers at the right of the lanes of a screen so wide."""
    return BARS_MARGIN + min(8, max(0, width - 120) // 8) if width >= WIDE else MARGIN


def side_rows(height: int, wanted: int, watched: int) -> tuple[int, int, int, int]:
    """The rows of the panels beside the lanes: that in front, values, watches, and notes.

    The first and the watches have what they need, the others what these leave.

    Args:
        height: rows for all of them.
        wanted: by the panel in front.
        watched: lines of watches and breakpoints.
    """
    front = max(_LEAST_BESIDE, min(wanted, height - 14 if height > 22 else height - 9))
    watches = _BORDER + max(1, min(watched, _MOST_WATCHED))
    left = height - front - watches
    notes = left * 2 // 5 if left >= 2 * _LEAST_BESIDE else 0
    return min(front, height), max(0, left - notes), max(0, min(watches, height - front)), notes


def rows_below(height: int, stages: int) -> int:
    """The rows of the equations where they stand below the lanes; 0: there is no room.

    One equation alone has its symbols and its numbers in sight, where lanes need no more than what is left.
    """
    lines = max(stages, _LINES_OF_ONE) if height >= _ROOMY else stages
    return min(_BORDER + lines, height // 2 - 1) if height >= 8 else 0


@dataclass(frozen=True)
class LaneNeed:
    """What a lane needs to show."""

    bands: int
    """Maps of equal height; 0: it is a plot."""
    most: int = 1
    """Lines that a band can use."""
    turns: bool = False
    """Whether it shows as many bands as there is room for, and the others in turn."""
    below: int = 0
    """Rows below its bands, which are left out sooner than a lane is."""


@dataclass(frozen=True)
class LaneRows:
    """The rows that a lane gets."""

    content: int
    """Of its bands, or its plot."""
    head: bool
    """Whether it has a line for its title."""
    below: int = 0
    """Below its bands."""

    @property
    def rows(self) -> int:
        """All of them."""
        return self.content + self.head + self.below


def lane_rows(needs: Mapping[int, LaneNeed], room: int, order: Sequence[int]) -> dict[int, LaneRows]:
    """The rows of each lane, by number; one that has no room has none.

    Bands are equally high, plots too; first everything gets its least, then bands and plots grow together.

    Args:
        needs: of the lanes of this cell.
        room: rows for all of them.
        order: the numbers, the most important first: the last ones give way.
    """
    kept = [number for number in order if number in needs]
    while kept:
        least = _least({number: needs[number] for number in kept}, room)
        for rows in (least, {number: replace(lane, below=0) for number, lane in least.items()}):
            if sum(lane.rows for lane in rows.values()) <= room:
                return _grown(rows, needs, room)
        if len(kept) == 1:
            return _grown(rows, needs, room)
        kept.pop()
    return {}


def _least(needs: Mapping[int, LaneNeed], room: int) -> dict[int, LaneRows]:
    low = room < _HEADLESS
    return {
        number: LaneRows(
            _PLOT_ROWS if not need.bands else min(need.bands, 4) if need.turns else need.bands,
            head=not (low and need.bands == 1),
            below=need.below,
        )
        for number, need in needs.items()
    }


def _grown(rows: dict[int, LaneRows], needs: Mapping[int, LaneNeed], room: int) -> dict[int, LaneRows]:
    """Bands a line higher, or plots, as long as there is room, plots about twice as high as a band."""
    content = {number: lane.content for number, lane in rows.items()}
    left = room - sum(lane.rows for lane in rows.values())
    plots = [number for number in rows if not needs[number].bands]
    maps = [number for number in rows if needs[number].bands]
    height = 1
    while left > 0:
        before = left
        for number in plots:
            if left > 0 and content[number] < min(_MOST_PLOT_ROWS, 2 * height + 1):
                content[number] += 1
                left -= 1
        growing = [n for n in maps if content[n] // needs[n].bands < needs[n].most or needs[n].turns]
        cost = sum(_next_band(needs[n], content[n]) for n in growing)
        if growing and cost <= left:
            for number in growing:
                content[number] += _next_band(needs[number], content[number])
            left -= cost
            height += 1
        elif left == before:
            break
    for number in plots:
        share = min(left, max(0, _MOST_PLOT_ROWS - content[number]), -(-left // len(plots)))
        content[number] += share
        left -= share
    if maps and left > 0:
        # What nobody needs goes to the maps, whose bands are then higher than they have units.
        number = max(maps, key=lambda n: needs[n].bands)
        content[number] += left
    elif left > 0 and plots:
        content[plots[0]] += left
    return {number: replace(lane, content=content[number]) for number, lane in rows.items()}


def _next_band(need: LaneNeed, content: int) -> int:
    """How many rows make a lane's bands a line higher."""
    if need.turns and content < need.bands * 2:
        return min(4, need.bands)
    return need.bands

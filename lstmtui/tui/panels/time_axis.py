"""The columns that all lanes share: how wide their labels are, and which timestep stands where."""

from __future__ import annotations

from dataclasses import dataclass

from lstmtui.analysis.windows import Page
from lstmtui.trace import Header
from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.columns import ColumnMap

GUTTER = 8
"""Columns of labels at the left of every lane."""
MARGIN = 2
"""Columns at the right of every lane: a blank one, and the letters of lines."""
WHOLE_RUN = 1 << 62
"""Timesteps a column, as many as are needed."""
BARS_MARGIN = 16
"""Columns at the right where bars and their numbers stand there."""


@dataclass(frozen=True)
class AxisPlace:
    """The columns of a lane, from left to right, and how many timesteps a page holds."""

    gutter: int = GUTTER
    """Of labels."""
    plot: int = 0
    """Of timesteps."""
    margin: int = MARGIN
    """Of what stands at the right."""
    timesteps: int = 0

    @property
    def width(self) -> int:
        """All columns of a lane."""
        return self.gutter + self.plot + self.margin

    @classmethod
    def within(cls, width: int, page_width: int, gutter: int, margin: int) -> AxisPlace:
        """The columns of lanes.

        Args:
            width: columns that lanes have.
            page_width: columns that lanes have beside all other panels; what a page holds depends on it.
            gutter: columns of labels.
            margin: columns at the right.
        """
        beside = gutter + margin
        return cls(gutter, max(0, width - beside), margin, max(0, page_width - beside))


class TimeAxis:
    """One window of timesteps over the same columns in every lane, whichever lanes are on screen."""

    def __init__(self) -> None:
        self.place = AxisPlace()
        self.page = Page(0, 1, 1, 1)
        self.columns = ColumnMap(0, 0)
        """Places the timesteps within `plot` columns."""
        self.most_per_column = 1
        """Timesteps that may share a column, if all of the run needs so many."""
        self._goal = (0, 0)
        """Where the last turn led, and where it would have led in a longer run."""

    @property
    def gutter(self) -> int:
        """Columns of labels at the left."""
        return self.place.gutter

    @property
    def plot(self) -> int:
        """Columns of timesteps."""
        return self.place.plot

    @property
    def has_bars(self) -> bool:
        """Whether there is room for bars at the right."""
        return self.place.margin >= BARS_MARGIN

    @property
    def timesteps(self) -> int:
        """How many a page has room for."""
        return max(1, self.place.timesteps) * self.page.per_column

    def fit_all(self) -> None:
        """Let a column share so many timesteps that all of a run is on one page, or only one timestep."""
        self.most_per_column = 1 if self.page.per_column > 1 else WHOLE_RUN

    def stretch(self, by: int) -> None:
        """Let half as many timesteps share a column, or twice as many if `by` is negative."""
        shared = self.page.per_column
        self.most_per_column = max(1, shared // 2) if by > 0 else shared * 2

    def show(self, t: int, header: Header) -> None:
        """Turn to the page that holds a timestep of a run."""
        steps = header.steps
        columns = max(1, self.place.timesteps)
        shared = max(1, min(self.most_per_column, -(-steps // columns)))
        self.page = Page.around(t, columns, steps, shared, is_growing=bool(header.live))
        self.columns = ColumnMap(min(-(-steps // shared), columns), self.plot)

    @property
    def plotted(self) -> int:
        """How many timesteps a plot has room for."""
        return self.columns.columns * self.page.per_column

    def pixels(self, look: Look) -> int:
        """The columns of dots of a plot."""
        return self.columns.used if look.ascii else 2 * self.columns.used

    def cursor_column(self, t: int) -> int | None:
        """The column of a timestep of the page, counted from the left of the lane."""
        return self.gutter + self.columns.center_of(self.page.column_of(t)) if self.plot > 0 else None

    def timestep_at(self, column: int) -> int:
        """The timestep of a column of the page, at most the page's last."""
        return min(self.page.start + column * self.page.per_column, self.page.stop - 1)

    def turned(self, t: int, pages: int, last_t: int) -> int:
        """The timestep so many pages on (back, if negative) from `t`, within 0 … `last_t`.

        Where the run ends earlier, turning the other way leads back to where it came from.
        """
        if t == (last_t if pages > 0 else 0):
            return t
        goal = (self._goal[1] if t == self._goal[0] else t) + pages * self.timesteps
        reached = max(0, min(goal, last_t))
        self._goal = (reached, goal)
        return reached

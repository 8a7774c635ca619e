"""Which character columns a timestep takes, the same for every widget over time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ColumnMap:
    """`columns` columns of data on `width` characters, each a whole number of characters wide.

    Characters at the right that are not enough for one more per column stay unused. Where there are
    more columns than characters the columns beyond are not shown: bin or page before.
    """

    columns: int
    width: int

    @property
    def cell_width(self) -> int:
        """Characters per column, at least 1."""
        return max(1, self.width // self.columns) if self.columns > 0 else 1

    @property
    def shown(self) -> int:
        """How many columns have a place."""
        return max(0, min(self.columns, self.width))

    @property
    def used(self) -> int:
        """How many characters the shown columns take."""
        return self.shown * self.cell_width

    def cell_of(self, column: int) -> tuple[int, int]:
        """The first character and the width of a column; a column that is not shown has width 0."""
        if not 0 <= column < self.shown:
            return (min(max(column, 0), self.shown) * self.cell_width, 0)
        return (column * self.cell_width, self.cell_width)

    def center_of(self, column: int) -> int:
        """The character in the middle of a column."""
        x, width = self.cell_of(column)
        return x + max(0, width - 1) // 2

    def column_at(self, x: int) -> int | None:
        """The column a character belongs to, or None for unused ones."""
        return x // self.cell_width if 0 <= x < self.used else None

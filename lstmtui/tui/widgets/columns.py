"""Which character columns a timestep takes, the same for every widget over time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ColumnMap:
    """`columns` columns of data on `width` characters, which they fill: none is wider than another by two.

    Where there are more columns than characters the columns beyond are not shown: bin or page before.
    """

    columns: int
    width: int

    @property
    def shown(self) -> int:
        """How many columns have a place."""
        return max(0, min(self.columns, self.width))

    @property
    def used(self) -> int:
        """How many characters the shown columns take."""
        return self.width if self.shown else 0

    def edge_of(self, column: int) -> int:
        """The first character of a column; of that after the last one, the first character unused."""
        column = min(max(column, 0), self.shown)
        return (2 * column * self.width + self.shown) // (2 * self.shown) if self.shown else 0

    def cell_of(self, column: int) -> tuple[int, int]:
        """The first character and the width of a column; a column that is not shown has width 0."""
        x = self.edge_of(column)
        return x, self.edge_of(column + 1) - x if column >= 0 else 0

    def center_of(self, column: int) -> int:
        """The character in the middle of a column, where a plot has its value."""
        if not 0 <= column < self.shown:
            return self.edge_of(column)
        return (2 * column + 1) * self.width // (2 * self.shown)

    def column_at(self, x: int) -> int | None:
        """The column a character belongs to, or None for unused ones."""
        if not 0 <= x < self.used:
            return None
        near = x * self.shown // self.width
        return near + (self.edge_of(near + 1) <= x)

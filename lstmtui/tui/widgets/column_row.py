"""One row over the columns of a page of timesteps."""

from __future__ import annotations

from textual.message import Message

from lstmtui.tui.widgets.columns import ColumnMap
from lstmtui.tui.widgets.line_widget import ColumnClicked, LineWidget


class ColumnRow(LineWidget):
    """A row whose columns can be clicked.

    Attributes:
        columns: places them; None: they fill the width.
    """

    columns: ColumnMap | None = None

    @property
    def count(self) -> int:
        """How many columns there are."""
        raise NotImplementedError

    def columns_in(self, width: int) -> ColumnMap:
        """Where the columns are in so many characters."""
        return self.columns or ColumnMap(self.count, width)

    def clicked(self, x: int, y: int) -> Message | None:
        column = self.columns_in(self._extent.width).column_at(x)
        return None if column is None else ColumnClicked(column)

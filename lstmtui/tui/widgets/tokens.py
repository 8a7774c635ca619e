"""Tokens or characters over time, each under its column."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from rich.cells import cell_len, set_cell_size

from lstmtui.analysis.signal import SEVERAL
from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.column_row import ColumnRow
from lstmtui.tui.widgets.columns import ColumnMap
from lstmtui.tui.widgets.spans import Spans, safe


class TokenStrip(ColumnRow):
    """One row of labels, one per column of the page."""

    DEFAULT_CSS = "TokenStrip { width: 1fr; height: 1; }"

    def __init__(self, look: Look | None = None) -> None:
        super().__init__(look)
        self._labels: tuple[str, ...] = ()
        self._roles: tuple[str, ...] = ()

    def set_tokens(
        self, labels: Sequence[str], columns: ColumnMap | None = None, roles: Sequence[str] = ()
    ) -> None:
        """Show a label per column; `roles` has one per label, or one for all, or is empty for text."""
        self._labels, self.columns, self._roles = tuple(labels), columns, tuple(roles)
        self.update()

    def line_keys(self, width: int, height: int) -> Sequence[Hashable]:
        return [token_spans(self._labels, self._roles, self.columns_in(width), self.look)]

    @property
    def count(self) -> int:
        return len(self._labels)


def token_spans(labels: Sequence[str], roles: Sequence[str], columns: ColumnMap, look: Look) -> Spans:
    """The row of labels, every one in exactly the cells of its column; what stands for several fills them."""
    spans = []
    for column, label in enumerate(labels[: columns.shown]):
        width = columns.cell_of(column)[1]
        shown = label * width if label == SEVERAL else label
        role = roles[min(column, len(roles) - 1)] if roles else "text"
        spans.append((fit_cell(shown, width, look), role))
    return tuple(spans)


def fit_cell(label: str, width: int, look: Look) -> str:
    """A label in exactly `width` cells: cut where it is too long, a dot where nothing of it fits.

    From 3 cells on the last one separates it from the next. Characters that would join with their
    neighbours are shown apart by the cells they leave.
    """
    label = safe(label, look)
    room = width - 1 if width >= 3 else width
    if cell_len(label) > room:
        cut = set_cell_size(label, room)
        whole = cut if cut.strip() or not label.strip() else ""
        label = whole or ("." if look.ascii else "·")
    if cell_len(label) == 0:
        label = ""
    return label + " " * (width - cell_len(label))

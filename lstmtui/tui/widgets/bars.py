"""Horizontal bars, one row per unit."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from textual.message import Message

from lstmtui.cells.notation import ASCII, UNICODE
from lstmtui.tui.palette import Kind
from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.bar import MARKER_WIDTH, NUMBER_WIDTH, Bar, bar_length, bar_segments
from lstmtui.tui.widgets.line_widget import LineWidget
from lstmtui.tui.widgets.spans import safe


class Bars(LineWidget):
    """Values as bars with their numbers; the window of rows follows the selected one."""

    DEFAULT_CSS = "Bars { width: 1fr; height: 1fr; }"

    class Clicked(Message):
        """A row of the data was clicked."""

        def __init__(self, bars: Bars, row: int) -> None:
            super().__init__()
            self.bars, self.row = bars, row

    def __init__(self, look: Look | None = None) -> None:
        super().__init__(look)
        self._values: NDArray[np.floating] = np.zeros(0)
        self._bounds: tuple[float, float] = (0.0, 1.0)
        self._kind: Kind = "sequential"
        self._labels: tuple[str, ...] = ()
        self._selected: int | None = None
        self._roles: tuple[str, ...] = ()
        self._mask: NDArray[np.bool_] | None = None
        self._top = 0
        self._widest = 0

    def set_data(
        self,
        values: NDArray[np.floating],
        low: float = 0.0,
        high: float = 1.0,
        kind: Kind = "sequential",
        labels: Sequence[str] = (),
        selected: int | None = None,
        roles: Sequence[str] = (),
        mask: NDArray[np.bool_] | None = None,
    ) -> None:
        """Show `values` (n,): from `low` to `high`, or from the middle out for a diverging kind.

        `roles` colours the bars (one for all, or one each); left out, a diverging bar has the colour of
        its sign. `mask` (n,) is true where there is no value: such a row is blank.
        """
        self._values, self._bounds, self._kind = values, (low, high), kind
        self._selected, self._roles, self._mask = selected, tuple(roles), mask
        if self._labels != tuple(labels):
            self._labels = tuple(labels)
            self._widest = max((cell_len(safe(label, self.look)) for label in labels), default=0)
        self.update()

    @property
    def top(self) -> int:
        """The first row of the data on screen."""
        return self._top

    def line_keys(self, width: int, height: int) -> Sequence[Hashable]:
        count = len(self._values)
        if self._selected is not None:
            self._top = min(max(self._top, self._selected + 1 - height), self._selected)
        self._top = max(0, min(self._top, count - height))
        return [self._bar(row, width) for row in range(self._top, min(count, self._top + height))]

    def draw_line(self, key: Hashable, width: int) -> list[Segment]:
        assert isinstance(key, Bar)
        return bar_segments(key, self.look)

    def clicked(self, x: int, y: int) -> Message | None:
        row = self._top + y
        return self.Clicked(self, row) if row < len(self._values) else None

    def _bar(self, row: int, width: int) -> Bar:
        absent = self._mask is not None and bool(self._mask[row])
        value = float(self._values[row])
        label = safe(self._labels[row], self.look) if row < len(self._labels) else ""
        role = self._roles[min(row, len(self._roles) - 1)] if self._roles else ""
        finite = bool(np.isfinite(value)) and not absent
        room = self._room(width)
        notation = ASCII if self.look.ascii else UNICODE
        return Bar(
            label=_fit(label, max(0, min(self._label_width(), width - MARKER_WIDTH - NUMBER_WIDTH))),
            number="" if absent else notation.number(value, width=NUMBER_WIDTH - 1),
            eighths=bar_length(value, *self._bounds, self._kind, room, self.look) if finite else 0,
            finite=finite or absent,
            selected=row == self._selected,
            role=role,
            kind="sequential" if absent else self._kind,
            room=room,
        )

    def _label_width(self) -> int:
        return min(self._widest, max(0, self._extent.width // 3))

    def _room(self, width: int) -> int:
        """Characters for the bar itself; odd for a diverging one, which has its zero in the middle."""
        label = self._label_width()
        room = max(0, width - MARKER_WIDTH - label - bool(label) - NUMBER_WIDTH)
        return room - 1 + room % 2 if self._kind == "diverging" and room else room


def _fit(label: str, width: int) -> str:
    return set_cell_size(label, width) if width else ""

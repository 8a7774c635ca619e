"""What stands beside a map: its name, its scale, its shape, and where the selected unit is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import prod

from rich.cells import cell_len

from lstmtui.session import Session
from lstmtui.tui.theme import Look, quantity_role
from lstmtui.tui.widgets.spans import Spans, crop


@dataclass(frozen=True)
class RowLabel:
    """The label of a map, line by line."""

    quantity: str
    prefix: str
    """Before its name."""
    scale: str
    """Where its colours end."""
    shape: tuple[int, ...]
    marked: int | None
    """The line of the selected unit."""
    starts: Mapping[int, str] = field(default_factory=dict)
    """The lines on which an index of the first of several axes begins."""

    def lines(self, width: int, height: int, look: Look) -> Iterator[Spans]:
        """As many lines as the map has: what it shows, and the first unit of each line before the mark."""
        room, role = max(0, width - 1), quantity_role(self.quantity)
        shape = "×".join(map(str, self.shape)) if len(self.shape) > 1 else ""
        about = [(self.prefix + self.quantity, role), (self.scale, "muted"), (shape, "muted")]
        for at in range(height):
            text, role = about[at] if at < len(about) else ("", "muted")
            index = self.starts.get(at, "")
            if text and cell_len(text) + 1 + len(index) > room:
                index = ""
            left = crop(((text, role),), room, look)
            blank = " " * (room - sum(cell_len(part) for part, _ in left) - len(index))
            yield (*left, (blank + index, "muted"), ("▸" if at == self.marked else " ", "cursor"))


def shape_of(session: Session, quantity: str) -> tuple[int, ...]:
    """The axes of a quantity of the selected layer behind the batch."""
    source = session.layer.source
    variable = None if source is None else source.variable(quantity)
    return (session.layer.size(quantity),) if variable is None else variable.shape


def whole_blocks(shape: tuple[int, ...], rows: int) -> int:
    """So many rows or fewer that units which share one have the same index in the first axis, if possible."""
    units, block = prod(shape), prod(shape[1:])
    if len(shape) < 2 or shape[0] > rows:
        return rows
    least = -(-units // max(1, rows))
    per_row = next(size for size in range(least, block + 1) if block % size == 0)
    return units // per_row

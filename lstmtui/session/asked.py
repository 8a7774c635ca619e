"""What was last asked with `why` or `where`, so that lanes can show it over time."""

from __future__ import annotations

from dataclasses import dataclass

from lstmtui.analysis.why.ledger import Place
from lstmtui.analysis.why.remains import Direction
from lstmtui.view import Cursor


@dataclass(frozen=True)
class Asked:
    """A number that was asked about, and whether by `why` or `where`."""

    direction: Direction
    model: str
    place: Place

    @property
    def quantity(self) -> str:
        """A state, or a derivative."""
        return self.place.quantity

    @property
    def t(self) -> int:
        """The timestep."""
        return self.place.t

    @property
    def unit(self) -> int:
        """The unit."""
        return self.place.unit

    @property
    def name(self) -> str:
        """c[3]"""
        return self.place.name

    @property
    def state(self) -> str:
        """The state that it is, or that it is the derivative by."""
        return self.quantity.removeprefix("d")

    def is_at(self, cursor: Cursor) -> bool:
        """Whether it is of the selected model, layer, direction and sequence."""
        place = self.place
        return (self.model, place.layer, place.direction, place.batch) == (
            cursor.model,
            cursor.layer,
            cursor.direction,
            cursor.batch,
        )

"""What is different in a what-if run: values put in place of those the equations make, and another loss."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Edit:
    """A value that takes the place of a quantity, right where the equations make it."""

    id: int
    model: str
    layer: int
    """0 for x; for y it does not matter."""
    direction: str
    """For x and y it does not matter: both directions read x."""
    batch: int
    """Which sequence of the batch."""
    quantity: str
    """A quantity of the layer's cell, x, or y."""
    unit: int | None
    """None: every unit."""
    value: float
    start: int
    """The first timestep that is changed."""
    stop: int
    """The last timestep that is changed."""

    def sets(self, t: int, unit: int) -> bool:
        """Whether the value stands at a timestep and unit, of its quantity and sequence."""
        return self.start <= t <= self.stop and self.unit in (None, unit)

    def __str__(self) -> str:
        unit = "" if self.unit is None else f"[{self.unit}]"
        span = f"at t={self.start}" if self.start == self.stop else f"from t={self.start} to t={self.stop}"
        return f"{self.quantity}{unit} = {self.value:.12g} {span}"


@dataclass(frozen=True)
class LossAt:
    """The gradients are taken of y at one timestep of one sequence; of h where y is not known.

    Of recorded code they may be of any of its variables.
    """

    t: int
    batch: int
    unit: int | None = None
    """None: the sum over units."""
    layer: int = -1
    """Whose variable it is."""
    quantity: str = ""
    """The variable of recorded code; empty: y, or h."""

    def words(self, of: str) -> str:
        """What is differentiated, in words.

        Args:
            of: the quantity: h where y is not known.
        """
        unit = f"sum of {of}" if self.unit is None else f"{of}[{self.unit}]"
        return f"{unit} at t={self.t}, sequence {self.batch}"

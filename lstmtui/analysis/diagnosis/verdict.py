"""What a diagnosis says: one finding, with its number, its threshold and what to look at next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

NAMES: dict[str, str] = {
    "nonfinite": "NaN or inf, in the run or among its derivatives",
    "saturated": "gates and tanh units at their limits, where they hardly learn",
    "stuck": "gates of single units that never leave one side",
    "unwritten": "units that nothing is written to",
    "unread": "units that nothing reads",
    "drift": "cell states that keep growing",
    "dead": "ReLU units that are 0 throughout",
    "vanishing": "gradients that do not reach back to the first timestep",
    "exploding": "gradients that grow on their way back",
    "padding": "padding that the backward direction has read",
}
"""Every kind of verdict, with what it is about, in the order they are given."""

FINE, LOOK, BAD = "fine", "worth a look", "bad"
SEVERITIES = (FINE, LOOK, BAD)
"""From nothing to see to what is a mistake more often than not."""

SHOWN_UNITS = 6
FEWEST_STEPS = 10
"""Of shorter runs no share of the timesteps means much."""


@dataclass(frozen=True, repr=False)
class Verdict:
    """One finding about one layer and direction of a run."""

    name: str
    """A key of `NAMES`."""
    severity: str
    """One of `SEVERITIES`."""
    layer: int | None
    """None: the run as a whole."""
    direction: str
    quantity: str
    """What was looked at; empty where it is not one quantity."""
    number: float
    """What was measured."""
    threshold: float
    """From where on it is worth a look; below it for the number of vanishing, else above it."""
    text: str
    """The finding in a sentence, without the place and without a full stop."""
    units: tuple[int, ...] = ()
    """The first few of the units concerned."""
    next: str = ""
    """A command that shows more of it; empty where all is well."""

    @property
    def place(self) -> str:
        """ "layer 0 forward", or empty for the run as a whole."""
        return "" if self.layer is None else f"layer {self.layer} {self.direction}"

    def __repr__(self) -> str:
        return f"<{self}; next: {self.next}>" if self.next else f"<{self}>"

    def __str__(self) -> str:
        where = f"{self.place}: " if self.place else ""
        return f"{self.name}, {self.severity}: {where}{self.text}"


def severity(number: float, look: float, bad: float) -> str:
    """How serious a number is that should be small; NaN is fine, as nothing was measured."""
    return BAD if number >= bad else LOOK if number >= look else FINE


def worst(verdicts: Iterable[Verdict]) -> str:
    """The highest severity there is."""
    return max((v.severity for v in verdicts), key=SEVERITIES.index, default=FINE)


def units_text(units: Sequence[int], of: int) -> str:
    """ "3 of 16 units (0, 4, 7)"."""
    if not len(units):
        return f"none of {of} units"
    listed = ", ".join(str(unit) for unit in units[:SHOWN_UNITS])
    more = ", …" if len(units) > SHOWN_UNITS else ""
    return f"{len(units)} of {of} units ({listed}{more})"

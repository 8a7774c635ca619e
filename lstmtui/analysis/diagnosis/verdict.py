"""What a diagnosis says: one finding, with its number, its threshold and what to look at next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isnan, nan

from lstmtui.wording import counted

NAMES: dict[str, str] = {
    "nonfinite": "NaN or inf, in the run or among its derivatives",
    "saturated": "gates and tanh units at their limits, where they hardly learn",
    "stuck": "gates of single units that never leave one side",
    "unwritten": "units that nothing is written to",
    "unread": "units that nothing reads",
    "drift": "cell states that keep growing",
    "dead": "ReLU units that are 0 throughout",
    "vanishing": "gradients that do not reach back to the first timestep",
    "exploding": "gradients that the recurrence itself makes grow on their way back",
    "depth": "signal and gradient that are lost from layer to layer",
    "padding": "padding that the backward direction has read",
    "reads": "what the loss reads, and how many inputs had been seen there",
    "state": "where states come from, and what happens to them between timesteps",
}
"""Every kind of verdict, with what it is about, in the order they are given."""

FINE, NOT_MEASURED, LOOK, BAD = "fine", "not measured", "worth a look", "bad"
SEVERITIES = (FINE, NOT_MEASURED, LOOK, BAD)
"""From nothing to see to what is a mistake more often than not; not measured: the text says why."""

SHOWN_UNITS = 6
FEWEST_STEPS = 10
"""Of shorter runs no share of the timesteps means much."""
CODE = "of recorded code it is not known which of its variables is a gate or a memory"
"""Why a layer of such is not judged."""


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
    """Commands that go to the place and show more of it, one on a line; empty where all is well."""
    module: str = ""
    """The layer's place in the recorded module, "encoder.l1"; empty for that module itself."""

    @property
    def place(self) -> str:
        """ "layer 0 forward", "layer 1 (encoder.l1) forward", or empty for the run as a whole."""
        if self.layer is None:
            return ""
        return f"layer {self.layer}{f' ({self.module})' if self.module else ''} {self.direction}"

    @property
    def commands(self) -> tuple[str, ...]:
        """The commands of `next`."""
        return tuple(self.next.split("\n")) if self.next else ()

    def __repr__(self) -> str:
        return f"<{self}; next: {'; '.join(self.commands)}>" if self.next else f"<{self}>"

    def __str__(self) -> str:
        where = f"{self.place}: " if self.place else ""
        return f"{self.name}, {self.severity}: {where}{self.text}"


def not_measured(name: str, layer: int | None, direction: str, why: str, quantity: str = "") -> Verdict:
    """What could not be judged, and why."""
    return Verdict(name, NOT_MEASURED, layer, direction, quantity, nan, nan, why)


def too_short(steps: int) -> str:
    """Why a layer of so many timesteps is not judged."""
    return f"{counted(steps, 'timestep')}, and a share of fewer than {FEWEST_STEPS} does not mean much"


def severity(number: float, look: float, bad: float) -> str:
    """How serious a number is that should be small; NaN was not measured."""
    if isnan(number):
        return NOT_MEASURED
    return BAD if number >= bad else LOOK if number >= look else FINE


def reasons(verdicts: Iterable[Verdict]) -> dict[str, list[str]]:
    """Why verdicts could not be taken, with their names; with the places unless it is all there are."""
    verdicts = tuple(verdicts)
    places = {v.place for v in verdicts if v.place}
    by_reason: dict[str, dict[str, list[str]]] = {}
    for verdict in verdicts:
        if verdict.severity == NOT_MEASURED:
            by_reason.setdefault(verdict.text, {}).setdefault(verdict.name, []).append(verdict.place)
    result: dict[str, list[str]] = {}
    for why, names in by_reason.items():
        here = {place for of_name in names.values() for place in of_name if place}
        where = "" if not here or here == places else f"{', '.join(sorted(here))}: "
        result[where + why] = list(names)
    return result


def units_text(units: Sequence[int], of: int) -> str:
    """ "3 of 16 units (0, 4, 7)"."""
    if not len(units):
        return f"none of {counted(of, 'unit')}"
    listed = ", ".join(str(unit) for unit in units[:SHOWN_UNITS])
    more = ", …" if len(units) > SHOWN_UNITS else ""
    return f"{len(units):,} of {counted(of, 'unit')} ({listed}{more})"

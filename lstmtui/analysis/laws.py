"""The results of the laws of state: one for each law, with the first place that breaks it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

NAMES: dict[str, str] = {
    "isolation": "the output for one sequence does not depend on another sequence",
    "causality": "y at t does not depend on x after t",
    "chunks": "one call equals two calls with the state handed on",
    "steps": "one call equals one call for each timestep, with the state handed on",
    "padding": "a sequence alone equals the same sequence padded in a batch",
    "carry": "the state that a call begins with is the one that the call before returned",
    "reset": "after a reset nothing depends on earlier input: the output is that of a fresh start",
    "save": "saving and loading changes nothing",
}
"""Every law, with what it says, in the order in which they are held."""

HELD, BY_DESIGN, BROKEN, NOT_TAKEN = "held", "by design", "broken", "not taken"
STATUSES = (HELD, BY_DESIGN, BROKEN, NOT_TAKEN)
"""by design: it does not hold because of what a layer is, such as one that reads backward; not taken: it
could not be tried, and the text says why."""


@dataclass(frozen=True)
class Place:
    """The first place that breaks a law."""

    t: int | None = None
    """The timestep; −1 before the first; None where what comes out has none."""
    layer: int | None = None
    """The layer's number in the trace; None: what the model returns, or what lies between its layers."""
    name: str = ""
    """The layer by its path in the model: "encoder l1"."""
    direction: str = ""
    quantity: str = ""
    unit: int | None = None
    batch: int | None = None
    """The sequence."""

    def __str__(self) -> str:
        parts = []
        if self.layer is not None:
            parts.append(
                f"layer {self.layer}{f' ({self.name})' if self.name else ''} {self.direction}".strip()
            )
        elif self.name:
            parts.append(self.name)
        if self.t is not None:
            parts.append("before the first timestep" if self.t < 0 else f"t={self.t}")
        if self.quantity:
            parts.append(self.quantity + ("" if self.unit is None else f"[{self.unit}]"))
        if self.batch is not None:
            parts.append(f"sequence {self.batch}")
        return ", ".join(parts)


@dataclass(frozen=True, repr=False)
class LawResult:
    """The result of one law on one model and input."""

    name: str
    """A key of `NAMES`."""
    status: str
    """One of `STATUSES`."""
    text: str
    """What was measured, in a sentence without a full stop; of a law that was not taken, why."""
    number: float = 0.0
    """The largest gradient or difference that should not be there; NaN where nothing was measured."""
    tolerance: float = 0.0
    """How large it may be: 0 for gradients."""
    place: Place | None = None
    """The first place that breaks the law."""
    notes: tuple[str, ...] = ()
    """What else was seen on the way, such as where states are detached."""
    dtype: str = ""
    """What the model was run in."""
    seconds: float = 0.0
    """How long it took."""

    @property
    def held(self) -> bool:
        """Whether the law was tried and held."""
        return self.status == HELD

    @property
    def broken(self) -> bool:
        """Whether the law was tried and is broken."""
        return self.status == BROKEN

    def as_json(self) -> dict[str, Any]:
        """A mapping for `json.dumps`; a number that was not measured is None."""
        return asdict(self) | {"number": None if math.isnan(self.number) else self.number}

    def __repr__(self) -> str:
        return f"<{self}>"

    def __str__(self) -> str:
        where = f"; first at {self.place}" if self.place is not None and self.status == BROKEN else ""
        return f"{self.name}, {self.status}: {self.text}{where}"


@dataclass(frozen=True)
class HeldLaws:
    """The results of the laws on one model."""

    results: tuple[LawResult, ...]
    note: str = ""
    """What they are of, where that is not the whole model."""


def any_broken(results: Sequence[LawResult]) -> bool:
    """Whether one of the laws is broken."""
    return any(result.broken for result in results)

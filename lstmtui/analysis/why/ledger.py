"""A number as a sum or a product of named parts: what `why` answers with."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from lstmtui.cells.legibility import legible_sum_digits
from lstmtui.cells.notation import UNICODE, Notation, percent
from lstmtui.wording import counted

Kind = Literal["sum", "product", "operands", "origin"]
"""sum: the parts add up; product: they are multiplied; operands: a line of recorded code has read them;
origin: there is nothing behind it that was recorded."""

SET = "set by you"
"""The only part of a number that a what-if has put in place."""
_NAMED = 3
"""So many parts are in the sentence."""
_LEAST_LEFT = 0.1
"""Of the parts without their signs; where less is left, shares of it in percent say nothing."""
_ROUNDING = 1e-12
"""A residual of so small a part of what is added goes without saying."""


@dataclass(frozen=True)
class Place:
    """A number of a run that can be asked about."""

    quantity: str
    """A quantity, `d` + one, or loss; "written c": what was written to c; "routes dc": dc by its routes."""
    t: int
    unit: int
    layer: int
    direction: str
    batch: int

    @property
    def name(self) -> str:
        """c[3]; loss, which has no unit."""
        return self.quantity if self.quantity == "loss" else f"{self.quantity}[{self.unit}]"

    def at(self, quantity: str, t: int | None = None, unit: int | None = None) -> Place:
        """Another number of the same layer, direction and sequence."""
        return replace(
            self,
            quantity=quantity,
            t=self.t if t is None else t,
            unit=self.unit if unit is None else unit,
        )


@dataclass(frozen=True)
class Factor:
    """One factor of a part."""

    text: str
    value: float


@dataclass(frozen=True)
class Part:
    """A summand, a factor or an operand."""

    text: str
    """written at t=12, R_f[3, 5]·h[5]."""
    value: float
    factors: tuple[Factor, ...] = ()
    """What it is the product of, where that says more."""
    t: int = -1
    """The timestep that it is of; −1: none."""
    leads_to: Place | None = None
    """Where the question goes on; None: it ends here."""
    without: float | None = None
    """Of what a timestep wrote to a state: what the state was there without it."""
    stays: bool = False
    """Whether it may be there though the number that it leads to is 0: σ(f_pre) is no multiple of f_pre."""


@dataclass(frozen=True)
class Ledger:
    """What a number is made of."""

    asked: Place
    value: float
    """As it was recorded."""
    kind: Kind
    equation: str
    """How the number is worked out, in symbols."""
    of: str
    """What the parts come to: the name of the number, or of the value before squashing."""
    whole: float
    """As it was recorded; for a value that no name is bound to, as it is worked out."""
    parts: tuple[Part, ...]
    """The largest first; NaN and inf before all others."""
    count: int
    """How many there are, those in the rest too."""
    rest: float
    """What the parts that are not listed come to."""
    total: float
    """What all of them come to."""
    size: float
    """The sum of their absolute values; of a product its absolute value."""
    notes: tuple[str, ...] = ()
    """What is to be known, in sentences without a full stop."""
    hint: str = ""
    """What else can be asked."""

    @property
    def residual(self) -> float:
        """What the parts leave of the whole: the rounding of the run."""
        return left_of(self.whole, self.total)

    @property
    def relative_residual(self) -> float:
        """The residual relative to the sum of the absolute parts; 0 if both sides are the same inf or NaN."""
        residual = abs(self.residual)
        return residual / self.size if residual and self.size else residual

    @property
    def rest_count(self) -> int:
        """How many parts are not listed."""
        return self.count - len(self.parts)

    def __str__(self) -> str:
        """What the number is made of, in a sentence: the largest parts, the rest, and what rounding has left.

        "c[3] at t=80 is 0.512: 61% written at t=12 (0.31), 20% written at t=13 (0.1), 79 others 0.1".
        """
        # The line of a variable of code says what its axes are.
        name = self.of if self.kind == "operands" else self.asked.name
        head = f"{name} at t={self.asked.t}" if self.asked.quantity != "loss" else "loss"
        head += f" is {UNICODE.number(self.value)}"
        if self.of != name:
            head += f"; {self.of} is {UNICODE.number(self.whole)}"
        if not self.parts:
            return f"{head}: nothing adds to it"
        named = [self._named(part) for part in self.parts[:_NAMED]]
        joined = (f" {UNICODE.times} " if self.kind == "product" else ", ").join(named)
        remarks = (
            text for text in (self.cancelling_text(UNICODE), *self.notes, self.residual_text(UNICODE)) if text
        )
        return "; ".join((f"{head}: {joined}{self._others()}", *remarks))

    def share_text(self, part: Part) -> str:
        """A part's share of the whole, signed; empty where parts nearly cancel, or there is none."""
        share = self.share(part)
        if math.isnan(share) or self.cancels:
            return ""
        return ("−" if share < 0 else "") + percent(abs(share))

    @property
    def cancels(self) -> bool:
        """Whether parts of either sign leave little of each other: each may be many times their sum."""
        is_finite = math.isfinite(self.total) and math.isfinite(self.size)
        return self.kind == "sum" and is_finite and abs(self.total) < _LEAST_LEFT * self.size

    def cancelling_text(self, notation: Notation) -> str:
        """What the parts above 0 and those below come to, where they nearly cancel; else empty."""
        if not self.cancels:
            return ""
        signed = (self.total + self.size) / 2, (self.total - self.size) / 2
        digits = legible_sum_digits(signed, notation)
        above, below = (notation.number(value, digits) for value in signed)
        how = "nearly cancel" if self.total else "cancel"
        return f"the parts {how}: those above 0 come to {above}, those below to {below}"

    def residual_text(self, notation: Notation) -> str:
        """How near the parts come to the number; empty where only rounding in float64 is between them."""
        if self.kind not in ("sum", "product") or not self.parts or self.relative_residual <= _ROUNDING:
            return ""
        if math.isnan(self.residual):
            return f"the parts come to {notation.number(self.total)}, which is not what was recorded"
        return f"to within {notation.number(abs(self.residual))}"

    def _named(self, part: Part) -> str:
        value, share = UNICODE.number(part.value), self.share_text(part)
        if share:
            return f"{share} {part.text} ({value})"
        return part.text if self.kind == "origin" else f"{part.text} ({value})"

    def _others(self) -> str:
        """The parts that are not named, as one."""
        count = self.count - _NAMED
        if count <= 0:
            return ""
        if self.kind != "sum":
            return f" and {count} more"
        rest = self.total - sum(part.value for part in self.parts[:_NAMED])
        return f", {counted(count, 'other')} {UNICODE.number(rest)}"

    def share(self, part: Part) -> float:
        """The part of the whole that a summand makes up; NaN where there is none to say."""
        if self.kind != "sum" or not math.isfinite(self.total) or not self.total:
            return math.nan
        return part.value / self.total


def left_of(value: float, total: float) -> float:
    """What parts that come to `total` leave of a value: nothing where both are the same inf or NaN."""
    is_same = value == total or (math.isnan(value) and math.isnan(total))
    return 0.0 if is_same else value - total

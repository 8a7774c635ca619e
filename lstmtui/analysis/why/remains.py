"""What became of what was written to a state: how much of it is left at each later timestep."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from lstmtui.analysis.jacobian_row import jacobian_row
from lstmtui.analysis.why.answer import ledger_at
from lstmtui.analysis.why.layer_numbers import LayerNumbers
from lstmtui.analysis.why.ledger import SET, Place
from lstmtui.analysis.why.state import breaks_of, columns_of, kept_until, written_text
from lstmtui.arrays import Array
from lstmtui.cells.notation import UNICODE
from lstmtui.errors import UserError
from lstmtui.view.query import query
from lstmtui.view.view import View
from lstmtui.wording import listed

Direction = Literal["parts", "remains", "dependence"]
"""Which way a state is asked about: what it is made of, what became of what was written to it, or how it
depends on itself at earlier timesteps."""


@dataclass(frozen=True, eq=False)
class Remains:
    """How much is left of what a timestep wrote to one unit of a state."""

    asked: Place
    """The state, and the timestep that wrote."""
    written: float
    left: Array
    """How much of it is in the state, from that timestep on, in the layer's own order of time."""
    half: int
    """The first timestep at which no more than half of it is left; −1: there is none."""
    ended: str
    """What ended it before the sequence did, in words; empty where nothing has."""
    is_set: bool = False
    """Whether a what-if has put the state in place there: then what it was set to is what was written."""

    def sentence(self) -> str:
        """What was written, when half of it was gone, and what is left at the end."""
        asked, number = self.asked, UNICODE.number
        step = -1 if asked.direction == "backward" else 1
        last = asked.t + step * (len(self.left) - 1)
        head = f"what t={asked.t} wrote to {asked.name} is {number(self.written)}"
        if self.is_set:
            head += f", {SET}"
        if not self.written:
            return head
        remarks = [head]
        if self.half >= 0:
            remarks.append(f"half of it is gone at t={self.half}")
        elif np.isfinite(self.left).all():
            remarks.append("half of it is never gone")
        if self.ended:
            remarks.append(self.ended)
        return "; ".join((*remarks, f"{number(float(self.left[-1]))} is left at t={last}"))


@query()
def where(view: View, quantity: str, t: int, unit: int) -> Remains:
    """What became of what a timestep wrote to a state of the selected layer, direction and sequence.

    Args:
        view: the run.
        quantity: a state that a factor keeps.
        t: the timestep that wrote.
        unit: which unit.

    Raises:
        UserError: no factor keeps it, it is of recorded code, or it has no such unit; or what the factor is
            made of is not recorded.
    """
    cursor = view.cursor
    if view.layer.source is not None:
        raise UserError(
            "the equations of recorded code are not known, so what is kept of a state is not known either"
        )
    numbers = LayerNumbers(view.trace, cursor.layer, cursor.direction, cursor.batch)
    keeping = numbers.cell.keeping.get(quantity)
    if keeping is None:
        kept = listed(list(numbers.cell.keeping)) or "no state"
        raise UserError(
            f"{quantity}: no factor keeps it from one timestep to the next; {kept} is kept in this way"
        )
    if not 0 <= t < numbers.length:
        raise UserError(f"t={t}: this sequence has t=0 to t={numbers.length - 1}")
    at = numbers.time(t)
    factor, written = columns_of(numbers, keeping, at, numbers.length, unit)
    is_set, was_changed = breaks_of(numbers, quantity, at, numbers.length, unit)
    value = float((numbers.recorded(quantity, at, at + 1, unit) if is_set[0] else written)[0])
    with np.errstate(all="ignore"):
        kept_since = np.cumprod(np.concatenate([[1.0], factor[1:]]))
        left = value * kept_since
    ends = 1 + np.flatnonzero(np.logical_or(is_set, was_changed)[1:])
    bad = np.flatnonzero(~np.isfinite(factor[1 : ends[0] if len(ends) else None]))
    ended = ""
    if len(ends):
        left[ends[0] :] = kept_since[ends[0] :] = 0.0
        why = SET if is_set[ends[0]] else "the model's own loop put another state in its place"
        ended = f"{why} at t={numbers.time(at + int(ends[0]))}, and nothing of it is there from then on"
    if len(bad):
        at_bad = 1 + int(bad[0])
        name, number = written_text(keeping.factor, UNICODE), UNICODE.number(float(factor[at_bad]))
        words = f"{name} is {number} at t={numbers.time(at + at_bad)}: nothing can be said of it from then on"
        ended = f"{words}; {ended}" if ended else words
    fallen = np.flatnonzero(np.abs(kept_since) <= 0.5)
    half = numbers.time(at + int(fallen[0])) if len(fallen) else -1
    place = Place(quantity, t, unit, cursor.layer, cursor.direction, cursor.batch)
    return Remains(place, value, left, half, ended, bool(is_set[0]))


@dataclass(frozen=True, eq=False)
class AskedLane:
    """The values over time of what is asked about."""

    values: Array
    """(T,); NaN where a timestep has no part in it."""


@query(picture=True)
def asked_lane(view: View, direction: Direction, quantity: str, t: int, unit: int) -> AskedLane:
    """What each timestep has in a number, or has left of what was written at t.

    Args:
        view: the run.
        direction: parts: what the number at t is made of; remains: what became of what t wrote; dependence:
            how h of t depends on each timestep.
        quantity: a state, or the derivative by one.
        t: the timestep that is asked about.
        unit: which unit.

    Raises:
        UserError: it is no sum over timesteps.
    """
    result = np.full(view.trace.steps, np.nan)
    cursor = view.cursor
    if direction == "remains":
        left = where(view, quantity, t, unit).left
        times = t + np.arange(len(left)) * (-1 if cursor.direction == "backward" else 1)
        result[times] = left
        return AskedLane(result)
    if direction == "dependence":
        return AskedLane(jacobian_row(replace(view, cursor=replace(cursor, t=t))).by_state[0])
    numbers = LayerNumbers(view.trace, cursor.layer, cursor.direction, cursor.batch)
    if quantity in numbers.cell.keeping and 0 <= t < numbers.length:
        kept = kept_until(numbers, quantity, numbers.time(t), unit)
        at = np.arange(kept.start, numbers.time(t) + 1)
        result[numbers.length - 1 - at if numbers.is_backward else at] = kept.contributions
        if kept.is_set or kept.was_changed:
            result[numbers.time(kept.start)] += kept.of_beginning
        return AskedLane(result)
    place = Place(quantity, t, unit, cursor.layer, cursor.direction, cursor.batch)
    ledger = ledger_at(view.trace, place, is_quick=True)
    if ledger.kind != "sum":
        raise UserError(f"{ledger.asked.name}: {ledger.of} is no sum over timesteps")
    for part in ledger.parts:
        if part.t >= 0:
            result[part.t] = part.value + (0.0 if np.isnan(result[part.t]) else result[part.t])
    return AskedLane(result)

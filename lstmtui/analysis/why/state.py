"""A state that a factor keeps, as a sum over what was written at each earlier timestep and is still there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lstmtui.analysis.why.follow import initial_place
from lstmtui.analysis.why.layer_numbers import LayerNumbers
from lstmtui.analysis.why.ledger import SET, Factor, Ledger, Part, Place
from lstmtui.analysis.why.summands import Summands, ledger_of
from lstmtui.arrays import Vector
from lstmtui.cells.keeping import Keeping, carriers_of
from lstmtui.cells.notation import Notation
from lstmtui.cells.rendering import render, text
from lstmtui.cells.terms import Term


@dataclass(frozen=True, eq=False)
class Kept:
    """What was kept of one unit of a state, by place, from `start` to the place asked about."""

    start: int
    """The first place whose writing is still there: all that lies before it was replaced."""
    written: Vector
    """What each place has written, from `start` on."""
    factor: Vector
    """What each place multiplies the old state by."""
    left: Vector
    """The product of the factors of all later places, up to where it is asked about."""
    old: Vector
    """What each place began from."""
    begins: float
    """What the first of these places began from; or, where `is_set`, what it was set to."""
    is_set: bool
    """Whether the first of these places was set, so that its factor and its writing do not count."""
    was_changed: bool
    """Whether the model's own loop had changed the state before the first of these places."""

    @property
    def contributions(self) -> Vector:
        """How much of what each place has written is in the state."""
        with np.errstate(all="ignore"):
            return self.written * self.left

    @property
    def of_beginning(self) -> float:
        """How much of what it began from is in the state."""
        factor = 1.0 if self.is_set else self.factor[0]
        with np.errstate(all="ignore"):
            return float(self.begins * factor * self.left[0])


def kept_until(numbers: LayerNumbers, state: str, at: int, unit: int) -> Kept:
    """What is in a state at a place.

    Raises:
        UserError: the trace does not hold what the factor or the writing is worked out from.
    """
    keeping = numbers.cell.keeping[state]
    factor, written = columns_of(numbers, keeping, 0, at + 1, unit)
    old = numbers.state_before(state, 0, at + 1, unit)
    start, is_set, was_changed = _last_break(numbers, state, at, unit)
    now = numbers.recorded(state, start, start + 1, unit)
    with np.errstate(all="ignore"):
        # From the right, and without a division: a factor of 0 takes nothing else with it.
        later = np.cumprod(factor[:start:-1])
    left = np.concatenate([[1.0], later])[::-1]
    written = written[start:].copy()
    if is_set:
        written[0] = 0.0
    begins = float(now[0] if is_set else old[start])
    return Kept(start, written, factor[start:], left, old[start:], begins, is_set, was_changed)


def columns_of(
    numbers: LayerNumbers, keeping: Keeping, first: int, stop: int, unit: int
) -> tuple[Vector, Vector]:
    """What a state is multiplied by and what is added, at the places from `first` to before `stop`."""
    factor = numbers.column(keeping.factor, first, stop, unit)
    written = np.zeros(stop - first)
    if keeping.written is not None:
        written = numbers.column(keeping.written, first, stop, unit)
    return factor, written


def state_ledger(numbers: LayerNumbers, asked: Place, notation: Notation, most: int | None) -> Ledger:
    """A state by what was written at each timestep, with the gates taken as they were."""
    state, at = asked.quantity, numbers.time(asked.t)
    kept = kept_until(numbers, state, at, asked.unit)
    value = float(numbers.recorded(state, at, at + 1, asked.unit)[0])
    keeping = numbers.cell.keeping[state]
    writings = _writings(numbers, asked, kept, keeping, notation)
    parts = writings.after(_beginning(numbers, asked, kept, notation))
    return ledger_of(
        asked,
        value,
        parts,
        equation=equation_text(keeping, asked, notation),
        most=most,
        notes=_notes(numbers, kept, keeping, notation),
        hint="gates are taken as they were: why one was so is a question of its own",
    )


def equation_text(keeping: Keeping, asked: Place, notation: Notation) -> str:
    """How a state is made of what was written, in symbols."""
    written = "0" if keeping.written is None else written_text(keeping.written, notation)
    factor = written_text(keeping.factor, notation)
    arrow, name = ("sum", "prod") if notation.ascii else ("Σ", "Π")
    now = notation.at(asked.quantity, asked.t)
    return f"{now} = {arrow} ({name} {factor}){notation.times}({written}) over earlier timesteps"


def written_text(term: Term, notation: Notation) -> str:
    """A term as it is written, in brackets where it is a sum."""
    words = text(render(term, notation, numeric=False, expand=False))
    return f"({words})" if term.kind in ("+", "-") else words


def _writings(
    numbers: LayerNumbers, asked: Place, kept: Kept, keeping: Keeping, notation: Notation
) -> Summands:
    if keeping.written is None:
        return Summands.of(())
    name, factor = written_text(keeping.written, notation), written_text(keeping.factor, notation)
    contributions, first = kept.contributions, int(kept.is_set)

    def part(index: int) -> Part:
        number = first + index
        t = numbers.time(kept.start + number)
        written, left = float(kept.written[number]), float(kept.left[number])
        factors = (Factor(name, written), Factor(f"{factor} since", left))
        lead = asked.at(f"written {asked.quantity}", t)
        without = float(kept.factor[number] * kept.old[number])
        return Part(f"written at t={t}", float(contributions[number]), factors, t, lead, without)

    return Summands(contributions[first:], part)


def _beginning(numbers: LayerNumbers, asked: Place, kept: Kept, notation: Notation) -> Iterator[Part]:
    t = numbers.time(kept.start)
    left = kept.left[0] if kept.is_set else kept.factor[0] * kept.left[0]
    factors = (Factor(asked.quantity, kept.begins), Factor("kept since", float(left)))
    if kept.is_set:
        yield Part(f"{SET} at t={t}", kept.of_beginning, factors, t)
    elif kept.was_changed:
        yield Part(f"what the model's own loop made of it before t={t}", kept.of_beginning, factors, t)
    else:
        place, words = initial_place(numbers, asked.quantity, asked.unit)
        if kept.begins or place is not None:
            yield Part(words, kept.of_beginning, factors, -1, place)


def _last_break(numbers: LayerNumbers, state: str, at: int, unit: int) -> tuple[int, bool, bool]:
    """The last place before which nothing counts; whether it was set; whether it began from other states."""
    is_set, was_changed = breaks_of(numbers, state, 0, at + 1, unit)
    places = np.flatnonzero(np.logical_or(is_set, was_changed))
    last = int(places[-1]) if len(places) else 0
    return last, bool(is_set[last]), bool(was_changed[last])


def breaks_of(numbers: LayerNumbers, state: str, first: int, stop: int, unit: int) -> tuple[Vector, Vector]:
    """Where nothing counts that was in a state before, at the places from `first` to before `stop`.

    Returns:
        Where a what-if has put it in place, or what it is made of the old one by; and which places began from
        other states, by the model's own loop, than the one before had ended with, the first left out.
    """
    is_set, was_changed = np.zeros((2, stop - first), bool)
    for quantity in (state, *carriers_of(numbers.definitions[state], state)) if numbers.edited else ():
        units = numbers.set_units(quantity, first, stop)
        is_set |= units[:, unit if units.shape[1] > 1 else 0]
    old = numbers.state_before(state, first, stop, unit)[1:]
    ended = numbers.recorded(state, first, stop, unit)[:-1]
    was_changed[1:] = ~((old == ended) | (np.isnan(old) & np.isnan(ended)))
    return is_set, was_changed


def _notes(numbers: LayerNumbers, kept: Kept, keeping: Keeping, notation: Notation) -> Iterator[str]:
    factor = written_text(keeping.factor, notation)
    bad = np.flatnonzero(~np.isfinite(kept.factor[1:]))
    if len(bad):
        at = kept.start + 1 + int(bad[-1])
        number = notation.number(float(kept.factor[1:][bad[-1]]))
        yield f"{factor} is {number} at t={numbers.time(at)}: nothing can be said of what was there before it"
        return
    zero = np.flatnonzero(kept.left == 0)
    if len(zero):
        at = kept.start + int(zero[-1])
        is_closed = not kept.factor[1:][zero[-1]]
        t = numbers.time(at)
        why = (
            f"{factor} is 0 at t={numbers.time(at + 1)}"
            if is_closed
            else (f"the product of {factor} is below the smallest number there is")
        )
        yield f"what was there up to t={t} has vanished: {why}"

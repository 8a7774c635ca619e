"""A total derivative by a state as a sum over the later timesteps at which something reads the layer."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lstmtui.analysis.fed_gradient import fed_gradient
from lstmtui.analysis.passages import fitted, passed
from lstmtui.analysis.rounding import rounding_of
from lstmtui.analysis.why.layer_numbers import LayerNumbers
from lstmtui.analysis.why.ledger import Ledger, Part, Place, left_of
from lstmtui.analysis.why.routes import Routes
from lstmtui.analysis.why.summands import ledger_of
from lstmtui.analysis.why.tangents import sweep
from lstmtui.arrays import Array, norm
from lstmtui.cells.notation import UNICODE, Notation
from lstmtui.cells.readings import Reading, readings_of

_QUICK = 1 << 26
"""So many products of a weight are made for an answer that is waited for."""
_LOOKS = 8
"""Once in so many timesteps it is looked whether anything is still to come."""
_BLOCK = 64
"""So many timesteps are looked at together."""
_GONE = 1e-17
"""Below this part of the whole, what is still to come is no longer told apart."""


def by_reading(
    numbers: LayerNumbers, asked: Place, notation: Notation, most: int | None, *, is_quick: bool
) -> Ledger:
    """The derivative by a state, by when it is read, from what was recorded.

    A small change of the number goes forward through the recorded gates to every later reading, where it
    meets what the loss, or a layer above, takes of the states there.

    Args:
        numbers: of the layer.
        asked: the derivative.
        notation: Unicode or ASCII signs.
        most: so many parts are listed.
        is_quick: whether what is read far off may come to one part.

    Raises:
        UserError: the trace has no derivatives, or does not hold a parameter.
    """
    state, at = asked.quantity.removeprefix("d"), numbers.time(asked.t)
    value = float(numbers.recorded(asked.quantity, at, at + 1, asked.unit)[0])
    fed = np.asarray(fed_gradient(numbers.trace, *numbers.place))[: numbers.length, numbers.batch]
    fed = fed[::-1] if numbers.is_backward else fed
    reading = [place for place in np.flatnonzero(fed != 0).tolist() if place >= at]
    sign = "d" if notation.ascii else "∂"
    name = notation.at(state, asked.t)
    parts: list[Part] = []
    if len(reading) == 1:
        parts = [_part(numbers, asked, reading[0], value, asked.unit, state)]
    elif reading:
        stop = min(reading[-1] + 1, at + _furthest(numbers)) if is_quick else reading[-1] + 1
        parts = list(_parts(numbers, asked, state, at, stop, reading, fed))
        total = sum(part.value for part in parts)
        size = abs(value) + sum(abs(part.value) for part in parts)
        rest = left_of(value, total)
        if not abs(rest) <= rounding_of(numbers.trace) * size:
            others = _others(numbers, asked, rest, reading, len(parts))
            if others is None:
                return Routes(numbers, asked, notation).ledger(most)
            parts.append(others)
    return ledger_of(
        asked,
        value,
        parts,
        equation=f"{sign}L/{sign}{name} by when it is read",
        most=most,
        hint=f"`why routes {asked.quantity}` has it by the routes of one timestep",
    )


def _parts(
    numbers: LayerNumbers, asked: Place, state: str, at: int, stop: int, reading: list[int], fed: Array
) -> Iterator[Part]:
    seed = np.zeros((numbers.layer.size(state), 1))
    seed[asked.unit] = 1.0
    wanted, size = set(reading), 0.0
    to_come = np.cumsum(fed[::-1])[::-1]
    feeds = _Feeds(numbers)
    for number, tangents in enumerate(sweep(numbers, at, {state: seed}, stop)):
        place = at + number
        states = {s: v[:, 0] for s, v in tangents.items() if s in numbers.cell.states}
        if place in wanted:
            products = {s: feeds.at(s, place) * v for s, v in states.items()}
            value = float(sum(p.sum() for p in products.values()))
            units = {s: int(np.abs(p).argmax()) for s, p in products.items()}
            largest = max(units, key=lambda s: abs(products[s][units[s]]), default=state)
            size += abs(value)
            yield _part(numbers, asked, place, value, units.get(largest, asked.unit), largest)
        if number % _LOOKS == 0 and place + 1 < len(fed):
            strength = max((float(norm(v)) for v in states.values()), default=0.0)
            if strength * to_come[place + 1] <= _GONE * size:
                return


def _part(numbers: LayerNumbers, asked: Place, place: int, value: float, unit: int, state: str) -> Part:
    t = numbers.time(place)
    return Part(f"read at t={t}", value, (), t, asked.at(f"routes d{state}", t, unit))


def _others(
    numbers: LayerNumbers, asked: Place, rest: float, reading: list[int], looked_at: int
) -> Part | None:
    """What no part has, as one; None where that is rounding, of routes that cancel one another."""
    if looked_at < len(reading):
        t, count = numbers.time(reading[looked_at]), len(reading) - looked_at
        way = "back" if numbers.is_backward else "on"
        return Part(f"read at the {count:,} readings from t={t} {way}, together", rest, (), t)
    later = range(numbers.time(asked.t) + 1, reading[-1] + 1)
    changed = next((p for p in later for s in numbers.cell.states if numbers.was_changed(s, p)), None)
    if changed is None:
        return None
    t = numbers.time(changed)
    return Part(f"through what the model's own loop did to the states before t={t}", rest, (), t)


def _furthest(numbers: LayerNumbers) -> int:
    """So many timesteps a sweep may take where its answer is waited for."""
    matrices = [p for p in numbers.cell.parameters if p.is_matrix]
    sizes = numbers.layer.layout.numbers(numbers.layer.input_size)
    return max(16, _QUICK // max(1, sum(int(np.prod(p.sizes(sizes))) for p in matrices)))


class _Feeds:
    """What is taken of the states outside of the layer's own recurrence, at places that are asked in order.

    It is the total derivative without what the equations bring back, and 0 where that is rounding.
    """

    def __init__(self, numbers: LayerNumbers) -> None:
        self._numbers = numbers
        self._first = self._stop = 0
        self._blocks: dict[str, Array] = {}
        projected = bool(numbers.layer.proj_size)
        self._readings = {
            state: readings_of(numbers.cell, state, UNICODE, projected=projected)
            for state in numbers.cell.states
        }

    def at(self, state: str, place: int) -> Array:
        """What comes back to one state at a place from outside of the recurrence, (units,)."""
        if not self._first <= place < self._stop:
            self._first, self._stop = place, min(place + _BLOCK, self._numbers.length)
            self._blocks = {s: self._fed(s) for s in self._readings}
        return np.asarray(self._blocks[state][place - self._first])

    def _fed(self, state: str) -> Array:
        rest = self._numbers.vectors("d" + state, self._first, self._stop).copy()
        size = np.abs(rest)
        with np.errstate(all="ignore"):
            for reading in self._readings[state]:
                brought = self._along(reading, state)
                rest -= brought
                size = size + np.abs(brought)
            allowed = rounding_of(self._numbers.trace) * norm(size)
            rest[norm(rest) <= allowed] = 0.0
        return rest

    def _along(self, reading: Reading, state: str) -> Array:
        numbers = self._numbers
        later = int(reading.is_later)
        first, stop = self._first + later, min(self._stop + later, numbers.length)
        units = numbers.layer.size(state)
        result = np.zeros((self._stop - self._first, units))
        if stop > first:
            values = numbers.vectors("d" + reading.quantity, first, stop)
            values = np.where(numbers.set_units(reading.quantity, first, stop), 0.0, values)
            for passage in reading.way:
                values = passed(values, passage, lambda term: numbers.whole(term, first, stop))
            result[: stop - first] = fitted(values, units)
            for place in range(first, stop) if later else ():
                if numbers.was_changed(state, place):
                    result[place - first] = 0.0
        return result

"""What a small change of a number becomes at later timesteps: a sweep forward through recorded gates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from lstmtui.analysis.passages import passed
from lstmtui.analysis.why.layer_numbers import LayerNumbers
from lstmtui.arrays import Array
from lstmtui.cells.arithmetic import back_through_layer_norm, dense
from lstmtui.cells.chain_rule import Passage, Way, ways_to
from lstmtui.cells.terms import Term

_BLOCK = 1 << 14
"""Numbers of one quantity that are looked at together."""
_NOTHING = 1e-280
"""What is smaller counts as 0, as numbers with few digits are slow."""

Tangents = dict[str, Array]
"""By quantity, the derivative of each unit by the seeds, (units, seeds); without those that are 0."""


@dataclass(frozen=True)
class _Use:
    """One way by which an equation reads a quantity, with the slopes of some places."""

    source: str
    is_old: bool
    operations: tuple[tuple[str, Array], ...]
    """From the source outwards: ("scale", (places, units)), ("matrix", it), ("layer_norm", its operand)."""


def sweep(numbers: LayerNumbers, at: int, seeds: Mapping[str, Array], stop: int) -> Iterator[Tangents]:
    """The tangents at each place from `at` to before `stop`.

    Args:
        numbers: of the layer.
        at: the place of the seeds.
        seeds: the derivatives of quantities of that place, (units, seeds); what is evaluated after them
            there follows from them.
        stop: the place to stop at.

    Raises:
        UserError: the trace does not hold a parameter.
    """
    widest = max(numbers.layer.size(quantity) for quantity in numbers.cell.quantities)
    size = max(1, _BLOCK // widest)
    before: Tangents = {}
    for first in range(at, stop, size):
        last = min(first + size, stop)
        with np.errstate(all="ignore"):
            uses = _uses(numbers, first, last)
        is_set = {q: numbers.set_units(q, first, last) for q in numbers.edited}
        for place in range(first, last):
            before = {s: v for s, v in before.items() if not numbers.was_changed(s, place)}
            now = _step(uses, is_set, before, seeds if place == at else {}, place - first)
            yield now
            before = {s: _flushed(now[s]) for s in numbers.cell.states if s in now}


def _step(
    uses: Mapping[str, tuple[_Use, ...]],
    is_set: Mapping[str, Array],
    before: Tangents,
    seeds: Mapping[str, Array],
    number: int,
) -> Tangents:
    now: Tangents = {}
    for quantity, ways in uses.items():
        total: Array | None = seeds.get(quantity)
        for use in ways:
            source = (before if use.is_old else now).get(use.source)
            if source is not None and quantity not in seeds:
                along = _along(use, source, number)
                total = along if total is None else total + along
        if total is not None:
            if quantity in is_set and quantity not in seeds:
                total = np.where(is_set[quantity][number][:, None], 0.0, total)
            now[quantity] = total
    return now


def _along(use: _Use, values: Array, number: int) -> Array:
    for kind, array in use.operations:
        if kind == "scale":
            values = array[number][:, None] * values
        elif kind == "matrix":
            values = array @ values
        else:
            # The derivative of layer normalization is the same forwards and backwards.
            values = back_through_layer_norm(values.T, array[number]).T
    return values


def _uses(numbers: LayerNumbers, first: int, stop: int) -> dict[str, tuple[_Use, ...]]:
    return {
        quantity: tuple(
            _Use(symbol.role, symbol.definition is None, _operations(numbers, way, first, stop))
            for way, symbol in _ways(term)
        )
        for quantity, term in numbers.definitions.items()
    }


def _ways(term: Term) -> Iterator[tuple[Way, Term]]:
    """Every way from an equation to a quantity in it, with that."""
    symbols: list[Term] = []

    def is_quantity(symbol: Term) -> bool:
        if symbol.role in ("parameter", "x"):
            return False
        symbols.append(symbol)
        return True

    for way in ways_to(term, is_quantity):
        yield way, symbols[-1]


def _operations(numbers: LayerNumbers, way: Way, first: int, stop: int) -> tuple[tuple[str, Array], ...]:
    operations: list[tuple[str, Array]] = []
    for passage in reversed(way):
        kind, array = _operation(numbers, passage, first, stop)
        if kind == "scale" and operations and operations[-1][0] == "scale":
            array = operations.pop()[1] * array
        operations.append((kind, array))
    return tuple(operations)


def _operation(numbers: LayerNumbers, passage: Passage, first: int, stop: int) -> tuple[str, Array]:
    if passage.kind == "matrix":
        return "matrix", np.asarray(dense(numbers.whole(passage.term, first, stop)))
    if passage.kind == "layer_norm":
        return "layer_norm", numbers.whole(passage.term.parts[0], first, stop)
    slopes = passed(np.ones((stop - first, 1)), passage, lambda term: numbers.whole(term, first, stop))
    return "scale", np.broadcast_to(slopes, (stop - first, slopes.shape[-1]))


def _flushed(values: Array) -> Array:
    return np.where(np.abs(values) < _NOTHING, 0.0, values)

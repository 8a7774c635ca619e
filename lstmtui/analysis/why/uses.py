"""How each equation reads what was evaluated before, with its slopes at some places."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lstmtui.analysis.passages import passed
from lstmtui.analysis.why.layer_numbers import LayerNumbers
from lstmtui.arrays import Array
from lstmtui.cells.arithmetic import dense
from lstmtui.cells.chain_rule import Passage, Way, ways_to
from lstmtui.cells.terms import Term

BLOCK = 1 << 14
"""Numbers of one quantity that are looked at together."""
FLUSHES = 8
"""Once in so many timesteps of a sweep what is too small to count becomes 0."""
_NOTHING = 1e-280
_NOTHING_SINGLE = np.float32(1e-30)
"""What is smaller counts as 0, in each precision, as numbers with few digits are slow."""


@dataclass(frozen=True)
class Use:
    """One way by which an equation reads a quantity, with the slopes of some places."""

    source: str
    """The quantity, or x."""
    is_old: bool
    """Whether it is a state before the timestep."""
    operations: tuple[tuple[str, Array], ...]
    """From the source outwards: ("scale", (places, units)), ("matrix", it), ("layer_norm", its operand)."""


def uses_of(numbers: LayerNumbers, first: int, stop: int) -> dict[str, tuple[Use, ...]]:
    """Every use of each equation, in order of evaluation, at the places from `first` to before `stop`.

    Raises:
        UserError: the trace does not hold a parameter.
    """
    return {
        quantity: tuple(
            Use(
                symbol.role,
                symbol.definition is None and symbol.role != "x",
                _operations(numbers, way, first, stop),
            )
            for way, symbol in _ways(term)
        )
        for quantity, term in numbers.definitions.items()
    }


def _ways(term: Term) -> Iterator[tuple[Way, Term]]:
    """Every way from an equation to a quantity in it, with that."""
    symbols: list[Term] = []

    def is_quantity(symbol: Term) -> bool:
        if symbol.role == "parameter":
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


def block_size(numbers: LayerNumbers) -> int:
    """So many places are looked at together."""
    return max(1, BLOCK // max(numbers.layer.size(quantity) for quantity in numbers.cell.quantities))


def flushed(values: Array) -> Array:
    """The numbers, with 0 for those that are too small to have their digits."""
    least = _NOTHING if values.dtype == np.float64 else _NOTHING_SINGLE
    return np.where(np.abs(values) < least, 0, values)

"""Where a state is read: every way by which the derivative by it comes from later equations, with a name."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from lstmtui.cells.cell import Cell
from lstmtui.cells.chain_rule import Passage, Way, ways_to
from lstmtui.cells.notation import Notation
from lstmtui.cells.rendering import render, text


class Reading(NamedTuple):
    """One use of a state."""

    name: str
    """carry f, carry 1 − z, output gate, peephole i, R_f, or what else it goes through."""
    quantity: str
    """The quantity whose equation reads the state."""
    way: Way
    """From that equation to the state in it."""
    is_later: bool
    """Whether a later timestep reads it, as the old state; False: its own timestep does."""


_Rank: TypeAlias = tuple[int, int]


@lru_cache(maxsize=256)
def readings_of(cell: Cell, state: str, notation: Notation, *, projected: bool) -> tuple[Reading, ...]:
    """Every use of a state: what carries it, what reads it by no parameter, then peepholes and products.

    Args:
        cell: whose equations.
        state: h, or c …
        notation: Unicode or ASCII signs, for the names.
        projected: whether h is a projection.
    """
    every = [*_as_old(cell, state, notation, projected), *_as_new(cell, state, projected)]
    return tuple(reading for _, reading in sorted(every, key=lambda pair: pair[0]))


def _as_old(cell: Cell, state: str, notation: Notation, projected: bool) -> Iterator[tuple[_Rank, Reading]]:
    """The uses in the timestep after the state's own."""
    keeping = cell.keeping.get(state)
    for number, (quantity, term) in enumerate(cell.definitions(projected=projected).items()):
        ways = list(ways_to(term, lambda symbol: symbol.is_old(state)))
        if keeping is not None and quantity == state:
            products = [way for way in ways if any(passage.kind == "matrix" for passage in way)]
            if len(products) < len(ways):
                factor = text(render(keeping.factor, notation, numeric=False, expand=False))
                carry: Way = (Passage("factor", keeping.factor),)
                yield (0, number), Reading(f"carry {factor}", quantity, carry, True)
            ways = products
        for way in ways:
            name, rank = _named(cell, quantity, way, number)
            yield rank, Reading(name, quantity, way, True)


def _as_new(cell: Cell, state: str, projected: bool) -> Iterator[tuple[_Rank, Reading]]:
    """The uses in the state's own timestep: h of an LSTM, the output peephole."""
    for number, (quantity, term) in enumerate(cell.definitions(projected=projected).items()):
        for way in ways_to(term, lambda symbol: symbol.role == state and symbol.definition is not None):
            name, rank = _named(cell, quantity, way, number)
            if quantity == cell.states[0] and cell.output_gate:
                name, rank = "output gate", (1, number)
            yield rank, Reading(name, quantity, way, False)


def _named(cell: Cell, quantity: str, way: Way, number: int) -> tuple[str, _Rank]:
    """What a use is called, by the parameter that it goes through, and where it stands among the others."""
    for row in cell.peepholes:
        if any(passage.term.text == f"w_c{row}" for passage in way):
            return f"peephole {row}", (2, cell.row(row))
    parameters = [passage.term.text for passage in way if passage.term.role == "parameter"]
    return (parameters[-1], (2, number)) if parameters else (f"through {quantity}", (1, number))

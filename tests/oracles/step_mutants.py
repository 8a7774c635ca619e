"""Mistakes in the cells whose step is written by hand, made from their definitions by program."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import combinations
from typing import Any

from oracles.mutants import computing, detached, with_wrong, without
from oracles.steps_by_hand import STEPS

from lstmtui.cells import CELLS, Cell
from lstmtui.cells.cell import Equations
from lstmtui.cells.keeping import names_in

STEPPED = tuple(cell for name, cell in CELLS.items() if name in STEPS)

NO_MISTAKES: tuple[set[str], ...] = ({"W_a", "W_b"}, {"b_a", "b_b"})
"""What is added up, of a CfC whose timesteps are 1 apart."""


def mistakes() -> Iterator[tuple[str, Cell]]:
    """Two blocks swapped, a parameter dropped, a gate and what it leaves, an old state for the new one."""
    for cell in STEPPED:
        for parameter in cell.parameters:
            for a, b in combinations(parameter.symbols, 2):
                if {a, b} in NO_MISTAKES:
                    continue
                yield f"{cell.name}: {a} and {b}", _with_names_swapped(cell, a, b)
            for symbol in parameter.symbols:
                if not parameter.is_matrix:
                    yield f"{cell.name}: no {symbol}", without(cell, symbol, _nothing(symbol))
        keeping = cell.keeping.get(cell.memory)
        for gate in () if keeping is None else names_in(keeping.factor):
            yield f"{cell.name}: {gate} and 1 − {gate}", with_wrong(cell, gate, lambda v, e: 1 - v)
        for gate in (gate for gate in cell.gates if cell.in_unit_interval(gate)):
            yield f"{cell.name}: {gate} not squashed", with_wrong(cell, gate, lambda v, e: v * 2 - 0.5)
        for state in (state for state in cell.states[1:] if state != cell.quantities[-1]):
            yield f"{cell.name}: the old {state}", computing(cell, _reading_old(cell, state))


def wrong_derivatives() -> Iterator[tuple[str, Cell]]:
    """Right values, and each old state detached."""
    for cell in STEPPED:
        for state in cell.states:
            yield f"{cell.name}: old {state} detached", computing(cell, detached(cell, state))


def _nothing(symbol: str) -> Callable[[Any], Any]:
    return lambda p: getattr(p, symbol) * 0


def _with_names_swapped(cell: Cell, a: str, b: str) -> Cell:
    names = {a: b, b: a}
    every = tuple(
        replace(p, symbols=tuple(names.get(symbol, symbol) for symbol in p.symbols)) for p in cell.parameters
    )
    broken = replace(cell)
    broken.__dict__["parameters"] = every  # in the place of what is worked out from the equations
    return broken


def _reading_old(cell: Cell, state: str) -> Callable[..., Equations]:
    """The equations, going on with a state of the timestep before where they have made the new one."""

    def equations(p: Any, x: Any, *states: Any) -> Equations:
        old = dict(zip(cell.states, states, strict=True))[state]
        running = cell.equations(p, x, *states)
        name, value = next(running)
        while True:
            made = yield name, value
            try:
                name, value = running.send(old if name == state else made)
            except StopIteration:
                return

    return equations

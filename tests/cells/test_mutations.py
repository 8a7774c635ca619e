"""The judges judged: a cell with one mistake must fail the comparison that the true cell passes.

`value_gap` (onnxruntime) and `gradient_gap` (hand loop) are the functions the tests of truth use.
"""

from __future__ import annotations

import pytest
from oracles.hand_loops import gradient_gap
from oracles.mutants import dropped_parameters, wrong_equations, wrong_gradients, wrong_orders
from oracles.onnx_cells import random_case, value_gap
from oracles.recurrents import CELL_NAMES, noise, with_cell

from lstmtui.cells import CELLS, Cell

TOLERANCE = 1e-5
EXACT = 1e-12


def _named(mutants: list[tuple[str, Cell]]) -> list[object]:
    return [pytest.param(cell, id=text) for text, cell in mutants]


def _values(cell: Cell) -> float:
    module, x, hx = random_case(cell.name)
    return value_gap(with_cell(module, cell), x, hx)


def _gradients(cell: Cell) -> float:
    module, x, hx = random_case(cell.name)
    wide = tuple(s.double() for s in hx) if isinstance(hx, tuple) else hx.double()
    return gradient_gap(with_cell(module.double(), cell), x.double(), wide, noise(6, 2, 4, seed=9))


@pytest.mark.parametrize("cell", [CELLS[name] for name in CELL_NAMES], ids=CELL_NAMES)
def test_the_true_cell_passes_both_judges(cell: Cell) -> None:
    assert _values(cell) <= TOLERANCE
    assert _gradients(cell) <= EXACT


def test_every_kind_of_mistake_is_there() -> None:
    orders = [text.split(":")[0] for text, _ in wrong_orders()]
    assert {name: orders.count(name) for name in set(orders)} == {
        "lstm": 23,
        "lstm_peephole": 23,
        "lstm_coupled": 5,
        "gru": 5,
        "gru_reset_before": 5,
    }
    dropped = [text for text, _ in dropped_parameters()]
    assert sum("bias" in text for text in dropped) == 2 * sum(len(CELLS[name].rows) for name in CELL_NAMES)
    assert sum("peephole i" in t or "peephole f" in t or "peephole o" in t for t in dropped) == 3


@pytest.mark.parametrize("mutant", _named([*wrong_orders(), *dropped_parameters(), *wrong_equations()]))
def test_a_mistake_in_the_values_is_caught(mutant: Cell) -> None:
    assert _values(mutant) > 100 * TOLERANCE


@pytest.mark.parametrize("mutant", _named([*wrong_gradients()]))
def test_a_mistake_in_the_derivatives_is_caught_though_the_values_are_right(mutant: Cell) -> None:
    assert _values(mutant) <= TOLERANCE
    assert _gradients(mutant) > 1e6 * EXACT

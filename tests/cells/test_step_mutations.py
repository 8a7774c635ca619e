"""The steps by hand judged: a cell with one mistake must fail what the true cell passes."""

from __future__ import annotations

import torch
from oracles.recurrents import gap, noise, random_recurrent, random_states, with_cell
from oracles.step_mutants import STEPPED, mistakes, wrong_derivatives
from oracles.steps_by_hand import by_hand

from lstmtui.cells import Cell

EXACT = 1e-12


def gaps(cell: Cell) -> tuple[float, float]:
    """How far h, and the derivatives by x and the initial states, are from those of the step by hand."""
    module = random_recurrent(cell.name, hidden_size=4)
    parameters = {name.removesuffix("_l0"): p.detach() for name, p in module.named_parameters()}
    x, states = noise(5, 2, 3, seed=3), random_states(module, 2)
    results = []
    for run in (lambda x, hx: with_cell(module, cell)(x, hx if len(hx) > 1 else hx[0])[0], None):
        leaf = x.clone().requires_grad_()
        initial = [s.clone().requires_grad_() for s in (states if isinstance(states, tuple) else (states,))]
        if run is None:
            before = {state: value[0] for state, value in zip(cell.states, initial, strict=True)}
            output = torch.stack([values["h"] for values in by_hand(cell, parameters, leaf, before)])
        else:
            output = run(leaf, tuple(initial))
        gradients = torch.autograd.grad(
            (noise(5, 2, 4, seed=9) * output).sum(),
            [leaf, *initial],
            allow_unused=True,
            materialize_grads=True,
        )
        results.append((output, gradients))
    (ours, d_ours), (theirs, d_theirs) = results
    return gap(ours, theirs), max(gap(a, b) for a, b in zip(d_ours, d_theirs, strict=True))


def test_the_true_cells_pass() -> None:
    assert {cell.name: max(gaps(cell)) for cell in STEPPED if max(gaps(cell)) > EXACT} == {}


def test_every_mistake_in_the_values_is_caught() -> None:
    every = list(mistakes())
    assert len(every) >= 20
    assert [text for text, cell in every if gaps(cell)[0] < 1e-4] == []


def test_every_mistake_in_the_derivatives_is_caught_though_the_values_are_right() -> None:
    for text, cell in wrong_derivatives():
        values, derivatives = gaps(cell)
        assert values <= EXACT, text
        assert derivatives > 1e-4, text

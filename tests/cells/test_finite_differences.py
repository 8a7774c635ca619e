"""Total derivatives against central differences: move one value of the run, and see the loss move."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from oracles.recurrents import CELL_NAMES, LSTM_NAMES, as_states, noise, random_recurrent, random_states
from torch import Tensor

from lstmtui.capture.record import record
from lstmtui.cells import CELLS
from lstmtui.models.recurrent import Recurrent
from lstmtui.models.stack import run_stack
from lstmtui.models.unroll import States, unroll

STEPS, BATCH = 5, 2
STEP = 1e-5
RELATIVE = 1e-6


def _loss(result: tuple[Tensor, Any]) -> Tensor:
    output, state = result
    total = (noise(*output.shape, seed=30) * output**2).sum()
    return total + sum((noise(*s.shape, seed=31) * s).sum() for s in as_states(state))


class Moved:
    """The loss of a run in which one value of one layer, direction and timestep is moved."""

    def __init__(
        self, module: Recurrent, x: Tensor, hx: Any, place: tuple[str, int, str, int, int, int]
    ) -> None:
        self.module, self.x, self.states = module, x, as_states(hx)
        self.quantity, self.layer, self.direction, self.t, self.sequence, self.unit = place

    def loss(self, by: float) -> float:
        with torch.no_grad():
            output, states = run_stack(
                self.module.layout, dict(self.module.named_parameters()), self.x, self.states, self._scan(by)
            )
            return float(_loss((output, states)))

    def _scan(self, by: float) -> Any:
        def scan(
            layer: int,
            direction: str,
            x: Tensor,
            states: States,
            p: Mapping[str, Tensor],
            valid: Tensor | None,
        ) -> tuple[Tensor, States]:
            here = (layer, direction) == (self.layer, self.direction)
            if here and self.t < 0:
                states = tuple(
                    self._move(s, by) if name == self.quantity else s
                    for name, s in zip(self.module.layout.cell.states, states, strict=True)
                )
            if layer == self.layer and self.quantity == "x":
                x = x.clone()
                own = len(x) - 1 - self.t if direction == "backward" else self.t
                x[own] = self._move(x[own], by)

            def observe(t: int, name: str, value: Tensor) -> Tensor:
                own = len(x) - 1 - t if direction == "backward" else t
                moved = here and name == self.quantity and own == self.t
                return self._move(value, by) if moved else value

            _, outputs, final = unroll(self.module.layout.cell, p, x, states, valid, observe)
            return torch.stack(outputs), final

        return scan

    def _move(self, value: Tensor, by: float) -> Tensor:
        value = value.clone()
        value[self.sequence, self.unit] += by
        return value

    def difference(self) -> float:
        """∂L/∂value by central differences."""
        return (self.loss(STEP) - self.loss(-STEP)) / (2 * STEP)


def _compare(module: Recurrent, points: int) -> None:
    x, hx = noise(STEPS, BATCH, 3, seed=32), random_states(module, BATCH)
    trace = record(module, x, hx=hx, loss=_loss)
    chosen = random.Random(7)
    names = ("x", *module.layout.cell.quantities)
    for quantity in (*names, *module.layout.cell.states):
        for _ in range(points):
            layer, direction = chosen.randrange(2), chosen.choice(module.layout.directions)
            values = trace.values("d" + quantity, layer, direction)
            place = chosen.randrange(STEPS), chosen.randrange(BATCH), chosen.randrange(values.shape[-1])
            found = Moved(module, x, hx, (quantity, layer, direction, *place)).difference()
            assert values[place] == pytest.approx(found, rel=RELATIVE, abs=1e-9), (quantity, layer, direction)
    for state in module.layout.cell.states:
        initial = trace.initial("d" + state, 1, module.layout.directions[-1])
        at = chosen.randrange(BATCH), chosen.randrange(initial.shape[-1])
        found = Moved(module, x, hx, (state, 1, module.layout.directions[-1], -1, *at)).difference()
        assert initial[at] == pytest.approx(found, rel=RELATIVE, abs=1e-9), state


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", CELL_NAMES)
def test_every_derivative_is_the_central_difference(cell: str, bidirectional: bool) -> None:
    _compare(random_recurrent(cell, num_layers=2, bidirectional=bidirectional), points=2)


@pytest.mark.parametrize("cell", [name for name in CELLS if name not in CELL_NAMES])
def test_every_derivative_of_a_newer_cell_is_the_central_difference(cell: str) -> None:
    _compare(random_recurrent(cell, num_layers=2), points=2)


@pytest.mark.parametrize("cell", LSTM_NAMES)
def test_every_derivative_with_a_projection_is_the_central_difference(cell: str) -> None:
    _compare(random_recurrent(cell, hidden_size=5, num_layers=2, proj_size=2), points=2)

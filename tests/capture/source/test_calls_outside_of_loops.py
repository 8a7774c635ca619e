"""A module that is called in a loop over time and outside of it has the timesteps of the loop."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
import torch
from oracles.recurrents import gap, noise
from torch import Tensor, nn

import lstmtui

EXACT = 1e-12


class Gate(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(7, 4)

    def forward(self, both: Tensor) -> Tensor:
        z = torch.sigmoid(self.linear(both))
        return z  # noqa: RET504


class Cell(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gate, self.linear = Gate(), nn.Linear(7, 4)

    def forward(self, v: Tensor, h: Tensor) -> Tensor:
        both = torch.cat([v, h], -1)
        z = self.gate(both)
        new_h = z * h + (1 - z) * torch.tanh(self.linear(both))
        return new_h  # noqa: RET504


class Own(nn.Module):
    """Calls its cell in a loop, and as often before and after it."""

    def __init__(self, walk: Callable[[Own, Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.walk, self.cell, self.read = walk, Cell(), nn.Linear(4, 3)
        self.double()

    def forward(self, x: Tensor) -> Tensor:
        return self.walk(self, x, x.new_zeros(x.shape[1], 4))

    def start(self, x: Tensor, h: Tensor) -> Tensor:
        return self.cell(x.mean(0), h)  # type: ignore[no-any-return]


def before(own: Own, x: Tensor, h: Tensor) -> Tensor:
    h = own.start(x, h)
    for v in x:
        h = own.cell(v, h)
    return h


def after(own: Own, x: Tensor, h: Tensor) -> Tensor:
    for v in x:
        h = own.cell(v, h)
    return own.cell(x.mean(0), h)  # type: ignore[no-any-return]


def before_and_after(own: Own, x: Tensor, h: Tensor) -> Tensor:
    h = own.cell(x[0], own.start(x, h))
    for v in x:
        h = own.cell(v, h)
    return own.cell(x[-1], h)  # type: ignore[no-any-return]


def freely(own: Own, x: Tensor, h: Tensor) -> Tensor:
    v = x[0]
    for _ in range(len(x) + 3):
        h = own.cell(v, h)
        v = own.read(h)
    return own.cell(v, h)  # type: ignore[no-any-return]


def between(own: Own, x: Tensor, h: Tensor) -> Tensor:
    for v in x:
        h = own.cell(v, h)
    h = own.start(x, h)
    v = own.read(h)
    for _ in range(len(x) + 3):
        h = own.cell(v, h)
        v = own.read(h)
    return h


def kept(model: Own, x: Tensor) -> list[Tensor]:
    """What each call of the cell returns, with its derivative."""
    states: list[Tensor] = []

    def keep(module: nn.Module, given: object, h: Tensor) -> None:
        h.retain_grad()
        states.append(h)

    model.cell.register_forward_hook(keep)
    model(x).square().sum().backward()
    return states


@pytest.mark.parametrize("walk", [before, after, before_and_after, freely, between])
def test_it_is_recorded_in_step_with_the_loop(walk: Callable[[Own, Tensor, Tensor], Tensor]) -> None:
    for steps, batch in itertools.product([3, 5], [2, 3, 4, 6]):
        x = noise(steps, batch, 3, seed=1)
        trace = lstmtui.record(Own(walk), x, loss=lambda y: y.square().sum(), source=True)
        states, more = kept(Own(walk), x), steps + 3
        runs = {
            before: [("cell", states[1:])],
            after: [("cell", states[:-1])],
            before_and_after: [("cell", states[2:-1])],
            freely: [("cell", states[:more])],
            between: [("cell", states[:steps]), ("cell@2", states[-more:])],
        }[walk]
        paths = [layer.path for layer in trace.layers]
        assert sorted(path for path in paths if path.startswith("cell@")) == [path for path, _ in runs[1:]]
        assert trace.steps == max(len(own) for _, own in runs)
        for path, own in runs:
            at = paths.index(path)
            assert trace.layers[at].calls == len(own)
            for t, h in enumerate(own):
                assert gap(trace.values("new_h", at)[t], h) <= EXACT
                assert gap(trace.values("dnew_h", at)[t], h.grad) <= EXACT
            # What it calls is in step with it.
            z = trace.values("z", paths.index(path.replace("cell", "cell.gate")))
            assert gap(z[: len(own)], trace.values("z", at)[: len(own)]) == 0


def test_the_first_timestep_may_be_before_the_loop() -> None:
    def by_hand(own: Own, x: Tensor, h: Tensor) -> Tensor:
        h = own.cell(x[0], h)
        for v in x[1:]:
            h = own.cell(v, h)
        return h

    x = noise(5, 2, 3, seed=2)
    trace = lstmtui.record(Own(by_hand), x, source=Cell)
    for t, h in enumerate(kept(Own(by_hand), x)):
        assert gap(trace.values("new_h")[t], h) <= EXACT


def test_a_cell_that_another_module_calls_in_its_loop_is_in_step_with_that() -> None:
    class Encoder(nn.Module):
        def __init__(self, cell: Cell) -> None:
            super().__init__()
            self.cell = cell

        def forward(self, x: Tensor, h: Tensor) -> Tensor:
            for v in x:
                h = self.cell(v, h)
            return h

    class Outer(Own):
        def __init__(self) -> None:
            super().__init__(lambda own, x, h: own.cell(x[0], own.encoder(x, own.start(x, h))))
            self.encoder = Encoder(self.cell)

    x = noise(5, 2, 3, seed=3)
    trace = lstmtui.record(Outer(), x)
    paths = [layer.path for layer in trace.layers]
    assert (trace.steps, trace.layers[paths.index("cell")].calls) == (5, 5)
    for t, h in enumerate(kept(Outer(), x)[1:-1]):
        assert gap(trace.values("new_h", paths.index("cell"))[t], h) <= EXACT

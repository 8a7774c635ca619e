"""Solvers of differential equations as packages write them: steps of a grid, of which some are read out."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from oracles.recurrents import gap, noise
from torch import Tensor, nn

import lstmtui

EXACT = 1e-12


class Grid:
    """Goes from time to time of a grid, and reads out what was asked for on the way.

    Args:
        slope: of the state.
        every: how many steps of the grid there are for each time that is asked for.
        kept: what the steps bind, for the test.
    """

    def __init__(self, slope: nn.Module, every: int, kept: dict[str, list[Tensor]]) -> None:
        self.slope, self.every, self.kept = slope, every, kept

    def step(self, t0: Tensor, dt: Tensor, y0: Tensor) -> Tensor:
        k1 = torch.tanh(self.slope(y0))
        k2 = torch.tanh(self.slope(y0 + dt * k1 / 2))
        self.keep("k1", k1)
        self.keep("k2", k2)
        return dt * k2

    def integrate(self, y0: Tensor, times: Tensor) -> Tensor:
        asked = y0.new_empty(len(times), *y0.shape)
        asked[0] = y0
        j, count = 1, self.every * (len(times) - 1)
        grid = torch.linspace(float(times[0]), float(times[-1]), count + 1, dtype=y0.dtype)
        for t0, t1 in pairwise(grid):
            dt = t1 - t0
            dy = self.step(t0, dt, y0)
            y1 = y0 + dy
            self.keep("y1", y1)
            while j < len(times) and t1 >= times[j] - 1e-9:
                asked[j] = self.between(t0, t1, y0, y1, times[j])
                j += 1
            y0 = y1
        return asked

    def between(self, t0: Tensor, t1: Tensor, y0: Tensor, y1: Tensor, t: Tensor) -> Tensor:
        part = (t - t0) / (t1 - t0)
        return y0 + part * (y1 - y0)

    def keep(self, name: str, tensor: Tensor) -> None:
        if tensor.requires_grad:
            tensor.retain_grad()
        self.kept.setdefault(name, []).append(tensor)


class Flow(nn.Module):
    def __init__(self, every: int) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.slope, self.every, self.kept = nn.Linear(2, 2).double(), every, dict[str, list[Tensor]]()

    def forward(self, y0: Tensor) -> Tensor:
        return Grid(self.slope, self.every, self.kept).integrate(y0, torch.linspace(0, 1, 8, dtype=y0.dtype))


@pytest.mark.parametrize("every", [1, 3])
def test_the_steps_of_a_solver_are_timesteps_and_what_it_reads_out_is_within_them(every: int) -> None:
    y0 = noise(3, 2, seed=5)
    by_hand = Flow(every)
    by_hand(y0).square().sum().backward()
    trace = lstmtui.record(Flow(every), y0, loss=lambda y: y.square().sum())
    layer = [layer.path for layer in trace.layers].index("")
    assert trace.layers[layer].calls == 1
    for name in ("k1", "k2", "y1"):
        kept = by_hand.kept[name]
        assert gap(trace.values(name, layer), torch.stack(kept)) <= EXACT
        grads = [torch.zeros_like(v) if v.grad is None else v.grad for v in kept]
        assert gap(trace.values("d" + name, layer), torch.stack(grads)) <= EXACT


class Observed(nn.Module):
    """Between observations a state is solved for."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.slope, self.cell = nn.Linear(4, 4).double(), nn.Linear(7, 4).double()
        self.kept = dict[str, list[Tensor]]()

    def forward(self, x: Tensor, times: Tensor) -> Tensor:
        h, before, out = x.new_zeros(len(x), 4), times[0] - 0.1, []
        for t in range(x.shape[1]):
            flown = Grid(self.slope, 2, self.kept).integrate(h, torch.stack([before, times[t]]))[-1]
            h = torch.tanh(self.cell(torch.cat([x[:, t], flown], -1)))
            before = times[t]
            out.append(h)
        return torch.stack(out, 1)


def test_a_state_may_be_solved_for_between_the_timesteps_of_an_input() -> None:
    x, times = noise(2, 6, 3, seed=7), torch.linspace(0, 1, 6, dtype=torch.float64)
    trace = lstmtui.record(Observed(), (x, times), loss=lambda y: y.square().sum())
    layer = [layer.path for layer in trace.layers].index("")
    assert gap(trace.values("h", layer), Observed()(x, times).transpose(0, 1)) <= EXACT

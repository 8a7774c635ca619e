"""Sequences that code goes through one by one: a loop over them is none over time, however many they are."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from oracles.recurrents import gap, noise
from torch import Tensor, nn

import lstmtui


class Model(nn.Module):
    def __init__(self, walk: Callable[[Model, Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.walk, self.cell, self.kept = walk, nn.Linear(6, 4).double(), list[Tensor]()

    def forward(self, x: Tensor) -> Tensor:
        return self.walk(self, x)

    def step(self, v: Tensor, h: Tensor) -> Tensor:
        return torch.tanh(self.cell(torch.cat([v, h], -1)))


def iterated(own: Model, x: Tensor) -> Tensor:
    out = []
    for sequence in x:
        h = x.new_zeros(4)
        for v in sequence:
            h = own.step(v, h)
            own.kept.append(h)
        out.append(h)
    return torch.stack(out)


def counted(own: Model, x: Tensor) -> Tensor:
    out = []
    for b in range(x.shape[0]):
        h = x.new_zeros(4)
        for t in range(x.shape[1]):
            h = own.step(x[b, t], h)
            own.kept.append(h)
        out.append(h)
    return torch.stack(out)


def taken(own: Model, x: Tensor) -> Tensor:
    out = []
    for b in range(x.shape[0]):
        sequence = x[b]
        h = x.new_zeros(4)
        for t in range(x.shape[1]):
            h = own.step(sequence[t], h)
            own.kept.append(h)
        out.append(h)
    return torch.stack(out)


@pytest.mark.parametrize(("batch", "steps"), [(3, 5), (5, 3), (6, 5), (2, 7)])
@pytest.mark.parametrize("walk", [iterated, counted, taken])
def test_a_loop_over_sequences_is_none_over_time(
    walk: Callable[[Model, Tensor], Tensor], batch: int, steps: int
) -> None:
    x, by_hand = noise(batch, steps, 2, seed=1), Model(walk)
    trace = lstmtui.record(Model(walk), x)
    by_hand(x)
    states = torch.stack(by_hand.kept).view(batch, steps, 4)
    source = trace.layers[0].source
    assert source is not None
    assert (trace.steps, trace.batch) == (steps, 1)
    assert [v.inner_steps for v in source.variables if v.name == "h"] == [batch]
    assert gap(trace.arrays["0/forward/inner/h"][:, :, 0], states.transpose(0, 1)) <= 1e-12


@pytest.mark.parametrize("layers", [2, 3, 5])
def test_a_loop_over_time_with_one_over_layers_in_it_that_writes_states_is_over_time(layers: int) -> None:
    def written(own: Model, x: Tensor) -> Tensor:
        states = x.new_zeros(layers, x.shape[1], 4)
        for v in x:
            new = torch.zeros_like(states)
            read = v
            for number in range(layers):
                h = own.step(read, states[number])
                new[number] = h
                read = h[:, :2]
            states = new
            own.kept.append(h)
        return states

    for batch in (2, 3, 5):
        x, by_hand = noise(6, batch, 2, seed=2), Model(written)
        with torch.no_grad(), lstmtui.recording() as r:
            Model(written)(x)
        by_hand(x)
        assert (r.trace.steps, r.trace.batch) == (6, batch)
        assert gap(r.trace.values("h", -1), torch.stack(by_hand.kept)) <= 1e-12

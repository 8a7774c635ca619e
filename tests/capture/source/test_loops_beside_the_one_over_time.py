"""A loop over layers of all timesteps, before or after the loop over these, is none over time."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from oracles.recurrents import gap, noise
from torch import Tensor, nn

import lstmtui
from lstmtui.trace.lengths import lengths_of

SIZES = [(5, 2, 3), (5, 4, 4), (6, 3, 3), (2, 4, 2), (4, 2, 6), (3, 5, 4)]
"""T, sequences, layers."""


class Model(nn.Module):
    def __init__(self, walk: Callable[[Model, Tensor], Tensor], count: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.walk, self.kept = walk, list[Tensor]()
        self.norms = nn.ModuleList(nn.LayerNorm(3) for _ in range(count))
        self.layers = nn.ModuleList(nn.Linear(3, 3) for _ in range(count))
        self.both, self.count = nn.Linear(3, 3 * count), count
        self.double()

    def forward(self, x: Tensor) -> Tensor:
        return self.walk(self, x)


def before(own: Model, x: Tensor) -> Tensor:
    for layer, norm in zip(own.layers, own.norms, strict=True):
        x = x + torch.relu(layer(norm(x)))
    h = x.new_zeros(x.shape[1], 3)
    for v in x:
        h = torch.tanh(own.layers[0](v) + h)
        own.kept.append(h)
    return h


def after(own: Model, x: Tensor) -> Tensor:
    h, out = x.new_zeros(x.shape[1], 3), []
    for t in range(len(x)):
        h = torch.tanh(own.layers[0](x[t]) + h)
        own.kept.append(h)
        out.append(h)
    y = torch.stack(out)
    for layer, norm in zip(own.layers, own.norms, strict=True):
        y = y + torch.relu(layer(norm(y)))
    return y


def act(z: Tensor) -> Tensor:
    gate = torch.sigmoid(z)
    return gate  # noqa: RET504


def gates(own: Model, x: Tensor) -> Tensor:
    every = [act(z) for z in own.both(x).chunk(own.count, -1)]
    h = x.new_zeros(x.shape[1], 3)
    for t in range(len(x)):
        h = every[0][t] * h + every[1][t]
        own.kept.append(h)
    return h


@pytest.mark.parametrize("walk", [before, after, gates])
def test_layers_beside_a_loop_over_time_are_no_timesteps(walk: Callable[[Model, Tensor], Tensor]) -> None:
    for steps, batch, count in SIZES:
        x, by_hand = noise(steps, batch, 3, seed=1), Model(walk, count)
        trace = lstmtui.record(Model(walk, count), x, loss=lambda y: y.square().sum())
        by_hand(x)
        where = steps, batch, count
        assert (trace.steps, trace.batch, len(trace.layers)) == (steps, batch, 1), where
        assert int(lengths_of(trace, 0).max()) == steps
        assert gap(trace.values("h"), torch.stack(by_hand.kept)) <= 1e-12, where


def test_a_loop_that_decodes_after_one_over_time_has_timesteps_of_its_own() -> None:
    def decode(own: Model, x: Tensor) -> Tensor:
        h = x.new_zeros(x.shape[1], 3)
        out = []
        for v in x:
            h = torch.tanh(own.layers[0](v) + h)
            out.append(h)
        memory, query = torch.stack(out), h
        for _ in range(own.count):
            weights = torch.softmax((memory * query).sum(-1), 0)
            query = torch.tanh((weights[..., None] * memory).sum(0) + query)
        return query

    trace = lstmtui.record(Model(decode, 4), noise(6, 2, 3, seed=2))
    assert [int(lengths_of(trace, n).max()) for n in range(2)] == [6, 4]
    assert trace.values("query", 1).shape[1:] == (2, 3)

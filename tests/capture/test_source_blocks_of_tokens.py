"""Deep models that read tokens, in a block: the timesteps are those of the tokens, in every layer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from oracles.recurrents import gap
from torch import Tensor, nn

import lstmtui
from lstmtui.trace.lengths import lengths_of

EXACT = 1e-12
SIZES = [(2, 5, 3, 6), (3, 5, 3, 6), (4, 6, 2, 6), (5, 5, 2, 4), (3, 4, 4, 4)]
"""Sequences, T, layers, units."""


class Layer(nn.Module):
    """A hand-written layer, which may compute what it reads of all timesteps before its loop."""

    def __init__(self, units: int, *, is_ahead: bool, axis: int) -> None:
        super().__init__()
        self.reads, self.keeps = nn.Linear(units, units), nn.Linear(units, units)
        self.is_ahead, self.axis, self.kept = is_ahead, axis, list[Tensor]()

    def forward(self, x: Tensor) -> Tensor:
        if self.is_ahead:
            x = self.reads(x)
        h, out = torch.zeros(x.shape[1 - self.axis], x.shape[2], dtype=x.dtype), []
        for v in x.unbind(self.axis):
            h = torch.tanh((v if self.is_ahead else self.reads(v)) + self.keeps(h))
            out.append(h)
        self.kept += out
        return torch.stack(out, self.axis)


class Reads(nn.Module):
    def __init__(self, units: int, count: int, *, is_ahead: bool, axis: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding, self.count = nn.Embedding(7, units), count
        self.layers = nn.ModuleList(Layer(units, is_ahead=is_ahead, axis=axis) for _ in range(count))
        self.norms = nn.ModuleList(nn.LayerNorm(units) for _ in range(count))
        self.double()

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embedding(ids)
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x = x + layer(norm(x))
        return x  # type: ignore[no-any-return]


def recorded(model: Reads, ids: Tensor) -> lstmtui.Trace:
    with lstmtui.recording() as r:
        loss = model(ids).square().mean()
        loss.backward()
    return r.trace


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("is_ahead", [False, True])
def test_a_deep_model_that_reads_tokens_has_their_timesteps(is_ahead: bool, axis: int) -> None:
    for batch, steps, count, units in SIZES:
        ids = torch.randint(0, 7, (steps, batch), generator=torch.Generator().manual_seed(1))
        ids = ids if axis == 0 else ids.T
        model, by_hand = (Reads(units, count, is_ahead=is_ahead, axis=axis) for _ in range(2))
        trace = recorded(model, ids)
        by_hand(ids)
        where = batch, steps, count, units
        layers = [n for n, layer in enumerate(trace.layers) if layer.cell == "Layer"]
        assert (trace.steps, trace.batch, len(layers)) == (steps, batch, count), where
        for n, layer in zip(layers, by_hand.layers, strict=True):
            assert int(lengths_of(trace, n).max()) == steps
            assert gap(trace.values("h", n), torch.stack(layer.kept)) <= EXACT, where  # type: ignore[arg-type]


class Scans(nn.Module):
    """A layer that computes all timesteps at once."""

    def __init__(self, units: int, axis: int) -> None:
        super().__init__()
        self.reads, self.axis = nn.Linear(units, units), axis

    def forward(self, x: Tensor) -> Tensor:
        h = torch.tanh(self.reads(x)).cumsum(self.axis)
        return h  # noqa: RET504


@pytest.mark.parametrize("axis", [0, 1])
def test_layers_that_compute_all_timesteps_at_once_are_none(axis: int) -> None:
    for batch, steps, count, units in SIZES:
        if batch == steps:
            continue
        ids = torch.randint(0, 7, (steps, batch), generator=torch.Generator().manual_seed(1))
        ids = ids if axis == 0 else ids.T
        model = Reads(units, count, is_ahead=False, axis=axis)
        model.layers = nn.ModuleList(Scans(units, axis) for _ in range(count)).double()
        trace = recorded(model, ids)
        where = batch, steps, count, units
        layers = [n for n, layer in enumerate(trace.layers) if layer.cell == "Scans"]
        assert (trace.steps, trace.batch, len(layers)) == (steps, batch, count), where
        x = model.embedding(ids)
        for n, layer, norm in zip(layers, model.layers, model.norms, strict=True):
            h = layer(norm(x))
            x = x + h
            assert gap(trace.values("h", n), h.transpose(0, axis)) <= EXACT, where


def steps_of_training(batches: list[Tensor], kept: list[Tensor]) -> lstmtui.Trace:
    """Steps that are lines of the block themselves."""
    torch.manual_seed(0)
    embedding, both = nn.Embedding(7, 3).double(), nn.Linear(7, 4).double()
    with lstmtui.recording() as r:
        for ids in batches:
            x = embedding(ids)
            h = x.new_zeros(x.shape[0], 4)
            for t in range(x.shape[1]):
                h = torch.tanh(both(torch.cat([x[:, t], h], -1)))
                kept.append(h)
            loss = h.square().mean()
            loss.backward()
    return r.trace


@pytest.mark.parametrize(("batch", "steps"), [(3, 5), (4, 6), (2, 5)])
def test_steps_of_training_that_are_lines_of_a_block_are_no_timesteps(batch: int, steps: int) -> None:
    kept: list[Tensor] = []
    generator = torch.Generator().manual_seed(1)
    batches = [torch.randint(0, 7, (batch, steps), generator=generator) for _ in range(2)]
    trace = steps_of_training(batches, kept)
    assert (trace.steps, trace.batch) == (steps, batch)
    states = torch.stack(kept).view(2, steps, batch, 4).transpose(0, 1)
    assert gap(trace.arrays["0/forward/inner/h"], states) <= EXACT


def of_a_policy(choose: Callable[[Tensor, Tensor], Tensor]) -> list[Tensor]:
    h, states = torch.zeros(3, 4), []
    for _ in range(5):
        h = choose(torch.zeros(3, 2), h)
        states.append(h)
    return states


def test_what_a_policy_sees_is_no_sequence() -> None:
    class Policy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.layers = nn.ModuleList(nn.Linear(6 if n == 0 else 4, 4) for n in range(2))

        def forward(self, seen: Tensor, h: Tensor) -> Tensor:
            new = torch.cat([seen, h], 1)
            for layer in self.layers:
                new = torch.tanh(layer(new))
            return new

    policy = Policy()
    with lstmtui.recording(source=Policy) as r:
        states = of_a_policy(policy)
    assert (r.trace.steps, r.trace.batch) == (5, 3)
    assert np.array_equal(r.trace.values("new"), torch.stack(states).detach().numpy())

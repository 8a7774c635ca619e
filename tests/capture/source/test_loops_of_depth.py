"""A loop each pass of which computes all timesteps is over layers: none of its passes is a timestep."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
import torch
from oracles.recurrents import gap, noise
from torch import Tensor, nn

import lstmtui
from lstmtui.trace.lengths import lengths_of

EXACT = 1e-12
SIZES = [(5, 2, 3), (5, 2, 5), (5, 4, 4), (2, 4, 2), (4, 2, 6), (6, 2, 1)]
"""T, sequences, layers."""


class Loops(nn.Module):
    """A layer with a loop over time."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.linear, self.kept = nn.Linear(6, 3), list[Tensor]()

    def forward(self, x: Tensor) -> Tensor:
        h, out = x.new_zeros(x.shape[1], 3), []
        for v in x:
            h = torch.tanh(self.linear(torch.cat([v, h], -1)))
            out.append(h)
        self.kept += out
        return torch.stack(out)


class Holds(nn.Module):
    """A layer with a recurrent layer of PyTorch's."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.rnn = nn.GRU(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        y, _ = self.rnn(x)
        return y  # type: ignore[no-any-return]


class Scans(nn.Module):
    """A layer that computes all timesteps at once."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.linear = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.tanh(self.linear(x)).cumsum(0)
        return y  # noqa: RET504


class Deep(nn.Module):
    def __init__(
        self, walk: Callable[[Deep, Tensor], Tensor], kind: Callable[[int], nn.Module], count: int
    ) -> None:
        super().__init__()
        self.walk, self.count = walk, count
        self.layers = nn.ModuleList(kind(seed) for seed in range(count))
        self.norms = nn.ModuleList(nn.LayerNorm(3) for _ in range(count))
        self.named = nn.ModuleDict({f"l{n}": layer for n, layer in enumerate(self.layers)})
        self.kept: list[Tensor] = []
        self.double()

    def forward(self, x: Tensor) -> Tensor:
        return self.walk(self, x)


def residual(own: Deep, x: Tensor) -> Tensor:
    for layer in own.layers:
        x = x + layer(x)
    return x


def with_norms(own: Deep, x: Tensor) -> Tensor:
    for n, (layer, norm) in enumerate(zip(own.layers, own.norms, strict=True)):
        z = norm(x)
        y = layer(z)
        x = y if n == 0 else x + y
    return x


def by_name(own: Deep, x: Tensor) -> Tensor:
    skips = []
    for layer in own.named.values():
        x = layer(x)
        skips.append(x)
    return torch.stack(skips).sum(0)


def tied(own: Deep, x: Tensor) -> Tensor:
    for _ in range(own.count):
        x = x + own.layers[0](x)
    return x


def tied_with_norms(own: Deep, x: Tensor) -> Tensor:
    for norm in own.norms:
        x = x + own.layers[0](norm(x))
    return x


@pytest.mark.parametrize("kind", [Loops, Holds, Scans])
@pytest.mark.parametrize("walk", [residual, with_norms, by_name, tied, tied_with_norms])
def test_layers_are_none_whatever_they_are_and_however_many(
    walk: Callable[[Deep, Tensor], Tensor], kind: Callable[[int], nn.Module]
) -> None:
    for steps, batch, count in SIZES:
        x, model = noise(steps, batch, 3, seed=1), Deep(walk, kind, count)
        trace = lstmtui.record(model, x, loss=lambda y: y.square().sum(), source=True)
        where = steps, batch, count
        own = [n for n, layer in enumerate(trace.layers) if layer.source is not None]
        assert (trace.steps, trace.batch, len(own)) == (steps, batch, count + 1), where
        assert {int(lengths_of(trace, n).max()) for n in own} == {steps}, where
        by_hand = Deep(walk, kind, count)
        by_hand(x).square().sum()
        if kind is Loops:
            inner = [n for n in own if trace.layers[n].cell == "Loops"]
            kept = [h for layer in by_hand.layers for h in layer.kept]  # type: ignore[union-attr]
            for n, (layer, t) in enumerate(itertools.product(inner, range(steps))):
                assert gap(trace.values("h", layer)[t], kept[n]) <= EXACT, where


def test_what_the_loop_takes_with_it_is_of_all_timesteps() -> None:
    x, model = noise(5, 2, 3, seed=2), Deep(residual, Loops, 3)
    trace = lstmtui.record(model, x, loss=lambda y: y.square().sum())
    y = Deep(residual, Loops, 3)(x)
    y.retain_grad()
    y.square().sum().backward()
    assert gap(trace.values("residual_x"), y) <= EXACT
    assert gap(trace.values("dresidual_x"), y.grad) <= EXACT


class Mixes(nn.Module):
    """A layer without any recurrence."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.linear = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.tanh(self.linear(x))
        return y + y.mean(0)


@pytest.mark.parametrize("walk", [residual, tied])
def test_layers_are_none_where_it_is_said_which_axis_the_timesteps_are(
    walk: Callable[[Deep, Tensor], Tensor],
) -> None:
    x = noise(5, 2, 3, seed=5)
    trace = lstmtui.record(Deep(walk, Mixes, 3), x, time_axis=0)
    assert (trace.steps, trace.batch) == (5, 2)
    assert gap(trace.values(f"{walk.__name__}_x"), Deep(walk, Mixes, 3)(x)) <= EXACT


@pytest.mark.parametrize("count", [3, 5, 7])
def test_a_decoder_that_looks_at_all_timesteps_in_each_of_its_own_has_those(count: int) -> None:
    class Attends(nn.Module):
        def forward(self, memory: Tensor, h: Tensor) -> Tensor:
            weights = torch.softmax((memory * h).sum(-1), 0)
            return (weights[..., None] * memory).sum(0)

    def decode(own: Deep, x: Tensor) -> Tensor:
        memory = own.layers[0](x)
        h = memory[-1]
        for _ in range(count):
            context = own.attends(memory, h)  # type: ignore[operator]
            h = torch.tanh(context + h)
            memory = memory + h
            own.kept.append(h)
        return h

    def model() -> Deep:
        own = Deep(decode, Holds, 1)
        own.attends = Attends()
        return own

    x, by_hand = noise(5, 2, 3, seed=3), model()
    trace = lstmtui.record(model(), x, source=True)
    by_hand(x)
    paths = [layer.path for layer in trace.layers]
    for t, h in enumerate(by_hand.kept):
        assert gap(trace.values("h", paths.index(""))[t], h) <= EXACT
    assert trace.layers[paths.index("attends")].calls == count


def test_a_loop_that_fills_in_all_timesteps_by_its_counter_is_over_time() -> None:
    def fill(own: Deep, x: Tensor) -> Tensor:
        read, states = own.layers[0](x), torch.zeros_like(x)
        for t in range(len(x)):
            h = torch.tanh(read.select(0, t) + states.select(0, max(t - 1, 0)))
            states = states.index_put((torch.tensor(t),), h)
            own.kept.append(h)
        return states

    x, by_hand = noise(5, 2, 3, seed=4), Deep(fill, Holds, 1)
    trace = lstmtui.record(Deep(fill, Holds, 1), x, source=True)
    by_hand(x)
    layer = [layer.path for layer in trace.layers].index("")
    for t, h in enumerate(by_hand.kept):
        assert gap(trace.values("h", layer)[t], h) <= EXACT


def test_passes_are_timesteps_where_nothing_else_is() -> None:
    class Settles(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = Scans(0)

        def forward(self, x: Tensor) -> Tensor:
            for _ in range(4):
                x = torch.tanh(self.layer.linear(x) + x)
            return x

    trace = lstmtui.record(Settles(), torch.randn(2, 6, 3))
    assert (trace.steps, trace.values("x").shape[0]) == (4, 4)

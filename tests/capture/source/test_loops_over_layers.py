"""A loop over layers, round the timesteps or within each, is none over time, though each is given a state."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import lstmtui
from lstmtui.trace.lengths import lengths_of


class Layers(nn.Module):
    """Layers of cells, which are given the states that they begin with.

    Args:
        kind: says how its loops are within each other.
        count: of layers.
    """

    def __init__(self, kind: Callable[[Layers, Tensor, Tensor], Tensor], count: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.kind, self.count = kind, count
        self.cells = nn.ModuleList(nn.Linear(6, 3) for _ in range(count))

    def forward(self, x: Tensor, first: Tensor) -> Tensor:
        return self.kind(self, x, first)

    def step(self, number: int, read: Tensor, before: Tensor) -> Tensor:
        return torch.tanh(self.cells[number](torch.cat([read, before], -1)))


def within(own: Layers, x: Tensor, h: Tensor) -> Tensor:
    out = []
    for t in range(len(x)):
        v, new = x[t], []
        for number in range(own.count):
            v = own.step(number, v, h[number])
            new.append(v)
        h = torch.stack(new)
        out.append(v)
    return torch.stack(out)


def within_zip(own: Layers, x: Tensor, h: Tensor) -> Tensor:
    out = []
    for v in x:
        new = []
        for cell, before in zip(own.cells, h, strict=True):
            v = torch.tanh(cell(torch.cat([v, before], -1)))
            new.append(v)
        h = torch.stack(new)
        out.append(v)
    return torch.stack(out)


def around(own: Layers, x: Tensor, first: Tensor) -> Tensor:
    for number in range(own.count):
        h, out = first[number], []
        for t in range(len(x)):
            h = own.step(number, x[t], h)
            out.append(h)
        x = torch.stack(out)
    return x


def around_items(own: Layers, x: Tensor, first: Tensor) -> Tensor:
    for number, h in enumerate(first):
        out = []
        for v in x:
            h = own.step(number, v, h)
            out.append(h)
        x = torch.stack(out)
    return x


@pytest.mark.parametrize("kind", [within, within_zip, around, around_items])
def test_layers_are_told_from_timesteps_by_their_weights_whatever_is_as_long(
    kind: Callable[[Layers, Tensor, Tensor], Tensor],
) -> None:
    for count, batch, steps in itertools.product([2, 3], [1, 2, 3], [2, 3, 4]):
        model, x, first = Layers(kind, count), torch.randn(steps, batch, 3), torch.randn(count, batch, 3)
        trace = lstmtui.record(model, x, first)
        where = count, batch, steps
        assert (trace.steps, trace.batch) == (steps, batch), where
        last = trace.values("h" if "around" in kind.__name__ else "v", -1)
        assert np.array_equal(last, model(x, first).detach().numpy()), where
        with lstmtui.recording() as r:
            model(x, first).sum().backward()
        assert (r.trace.steps, r.trace.batch) == (steps, batch), where


def test_layers_within_timesteps_that_no_input_has_are_none() -> None:
    def decoder(own: Layers, x: Tensor, h: Tensor) -> Tensor:
        for _ in range(7):
            new = []
            for number in range(own.count):
                x = own.step(number, x, h[number])
                new.append(x)
            h = torch.stack(new)
        return x

    trace = lstmtui.record(Layers(decoder, 3), torch.randn(2, 3), torch.randn(3, 2, 3))
    assert (trace.steps, trace.batch) == (7, 2)


class NamedCell(nn.Module):
    """A layer that binds names of its own between its parameters and what it returns."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.reads = nn.Linear(2 * units, units)

    def forward(self, read: Tensor, before: Tensor) -> Tensor:
        pre = self.reads(torch.cat([read, before], -1))
        g = torch.tanh(pre)
        return 0.5 * before + g


class Frames(nn.Module):
    """Predicts the next item of a sequence, with the first of its layers outside of the loop over them."""

    def __init__(self, count: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.count = count
        self.cells = nn.ModuleList(NamedCell(4) for _ in range(count))

    def forward(self, x: Tensor) -> Tensor:
        h, out = [], []
        for _ in range(self.count):
            zeros = x.new_zeros(x.shape[1], 4)
            h.append(zeros)
        for t in range(len(x) - 1):
            h[0] = memory = self.cells[0](x[t], h[0])
            for number in range(1, self.count):
                h[number] = memory = self.cells[number](memory, h[number])
            out.append(memory)
        return torch.stack(out)


@pytest.mark.parametrize(("count", "batch"), [(3, 2), (4, 3), (5, 2)])
def test_layers_that_bind_names_of_their_own_are_none_though_as_many_as_sequences(
    count: int, batch: int
) -> None:
    model, x = Frames(count), torch.randn(6, batch, 4)
    trace = lstmtui.record(model, x)
    assert [len(trace.values(name, n)) for n, name in ((0, "memory"), (1, "pre"), (-1, "pre"))] == [5] * 3
    assert {tuple(lengths_of(trace, n)) for n in range(len(trace.layers))} == {(5,) * batch}
    assert np.array_equal(trace.values("memory"), model(x).detach().numpy())


class Refined(nn.Module):
    """A block of two layers that is applied again and again."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(NamedCell(3) for _ in range(2))

    def forward(self, v: Tensor) -> Tensor:
        for layer in self.layers:
            v = layer(v, v)
        return v


def test_layers_of_a_block_that_is_called_in_each_timestep_are_called_in_it() -> None:
    class Loop(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.block = Refined()

        def forward(self, x: Tensor) -> Tensor:
            h = x
            for _ in range(5):
                h = self.block(h)
            return h

    trace = lstmtui.record(Loop(), torch.randn(2, 7, 3))
    assert [(layer.path, layer.calls) for layer in trace.layers] == [
        ("block", 5),
        ("block.layers.0", 5),
        ("block.layers.1", 5),
    ]


def test_a_loop_over_weights_and_biases_in_each_timestep_is_none_though_as_long_as_an_input() -> None:
    """As of weights that are learned within the model."""
    kept: list[Tensor] = []

    class Learner(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.linear = nn.Linear(3, 2).double()

        def forward(self, x: Tensor, wanted: Tensor) -> Tensor:
            fast = [*self.linear.parameters()]
            for _ in range(4):
                out = nn.functional.linear(x, *fast)
                kept.append(out)
                loss = (out - wanted).square().mean()
                slopes = torch.autograd.grad(loss, fast, create_graph=True)
                fast = [own - 0.1 * slope for own, slope in zip(fast, slopes, strict=True)]
            return nn.functional.linear(x, *fast)

    generator = torch.Generator().manual_seed(1)
    x = torch.randn(6, 3, generator=generator, dtype=torch.float64)
    trace = lstmtui.record(Learner(), (x, x[:, :2]), loss=torch.sum, source=True, batch_axis=0)
    assert trace.steps == 4
    assert np.array_equal(trace.values("out"), np.stack([out.detach().numpy() for out in kept]))

"""States of several layers in one tensor: its sequences are found though there are as many layers."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor, nn

import lstmtui

LAYERS_FIRST, LAYERS_SECOND = (1, 0, 2), (0, 1, 2)
"""What turns a state to (sequences, layers, units)."""


class Stacked(nn.Module):
    """Some layers of cells, or one of several scales.

    Args:
        kind: what its forward does.
        count: of layers.
        reads: how many units the input has.
        units: how many each state has.
    """

    def __init__(self, kind: Callable[[Stacked, Tensor], Tensor], count: int, reads: int, units: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.kind, self.count, self.units = kind, count, units
        sizes = [reads, *[units] * count]
        self.layers = nn.ModuleList(nn.Linear(n + units, units).double() for n in sizes[:count])
        self.reads = nn.Linear(reads, units).double()
        self.decays = torch.linspace(0.2, 0.9, count, dtype=torch.float64)
        self.weights = nn.Parameter(torch.randn(count, units, units, dtype=torch.float64) / 2)
        self.first = nn.Parameter(torch.randn(count, 1, units, dtype=torch.float64))
        self.kept: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        self.kept = []
        return self.kind(self, x)

    def cell(self, number: int, x: Tensor, h: Tensor) -> Tensor:
        return torch.tanh(self.layers[number](torch.cat([x, h], -1)))

    def zeros(self, x: Tensor) -> Tensor:
        return x.new_zeros(self.count, x.shape[1], self.units)


def stacked(own: Stacked, x: Tensor) -> Tensor:
    h = own.zeros(x)
    for v in x:
        new = []
        for number in range(own.count):
            v = own.cell(number, v, h[number])
            new.append(v)
        h = torch.stack(new)
        own.kept.append(h)
    return h


def stacked_second(own: Stacked, x: Tensor) -> Tensor:
    h = own.zeros(x).transpose(0, 1)
    for v in x:
        new = []
        for number in range(own.count):
            v = own.cell(number, v, h[:, number])
            new.append(v)
        h = torch.stack(new, 1)
        own.kept.append(h)
    return h


def written(own: Stacked, x: Tensor) -> Tensor:
    h = own.zeros(x)
    for v in x:
        h = h.clone()
        for number in range(own.count):
            v = own.cell(number, v, h[number].clone())
            h[number] = v
        own.kept.append(h)
    return h


def written_second(own: Stacked, x: Tensor) -> Tensor:
    h = own.zeros(x).transpose(0, 1)
    for v in x:
        new = torch.zeros_like(h)
        for number in range(own.count):
            v = own.cell(number, v, h[:, number])
            new[:, number] = v
        h = new
        own.kept.append(h)
    return h


def returned(own: Stacked, x: Tensor) -> Tensor:
    def step(v: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        new = []
        for number, before in enumerate(h):
            v = own.cell(number, v, before)
            new.append(v[None])
        return v, torch.cat(new)

    h = own.first.expand(-1, x.shape[1], -1)
    for v in x:
        _, h = step(v, h)
        own.kept.append(h)
    return h


def at_once(own: Stacked, x: Tensor) -> Tensor:
    h = own.zeros(x)
    for v in x:
        h = torch.tanh(own.reads(v) + torch.bmm(h, own.weights))
        own.kept.append(h)
    return h


def scales(own: Stacked, x: Tensor) -> Tensor:
    h, decays = own.zeros(x), own.decays[:, None, None]
    for v in x:
        h = decays * h + (1 - decays) * own.reads(v)
        own.kept.append(h)
    return h


def window(own: Stacked, x: Tensor) -> Tensor:
    h = own.zeros(x)
    for v in x:
        h = torch.cat([h[1:], own.reads(v)[None]])
        own.kept.append(h)
    return h


KINDS = {
    stacked: LAYERS_FIRST,
    stacked_second: LAYERS_SECOND,
    written: LAYERS_FIRST,
    written_second: LAYERS_SECOND,
    returned: LAYERS_FIRST,
    at_once: LAYERS_FIRST,
    scales: LAYERS_FIRST,
    window: LAYERS_FIRST,
}


def gap(found: object, kept: Sequence[Tensor], order: tuple[int, ...]) -> float:
    """The largest relative difference between what a trace has and tensors of each round."""
    right = torch.stack([tensor.permute(order).flatten(1) for tensor in kept]).detach()
    difference = (torch.as_tensor(found) - right).abs().max()
    return float(difference / right.abs().max())


@pytest.mark.parametrize("kind", KINDS)
def test_sequences_are_told_from_layers_units_and_timesteps_that_are_as_many(
    kind: Callable[[Stacked, Tensor], Tensor],
) -> None:
    for count, batch, steps, reads, units in itertools.product([2, 3], [1, 2, 3], [3], [2], [2, 3]):
        model = Stacked(kind, count, reads, units)
        x = torch.randn(steps, batch, reads, dtype=torch.float64)
        trace = lstmtui.record(model, x, loss=lambda y: (y * y).sum())
        where = count, batch, units
        assert (trace.steps, trace.batch) == (steps, batch), where
        y = model(x)
        for h in model.kept:
            h.retain_grad()
        (y * y).sum().backward()
        assert gap(trace.values("h"), model.kept, KINDS[kind]) == 0, where
        assert (
            gap(trace.values("dh"), [h.grad for h in model.kept if h.grad is not None], KINDS[kind]) < 1e-12
        )


def test_the_state_before_the_first_timestep_has_the_axes_of_the_others() -> None:
    model, x = Stacked(returned, 2, 3, 4), torch.randn(3, 2, 3, dtype=torch.float64)
    trace = lstmtui.record(model, x)
    right = model.first.expand(-1, 2, -1).detach().transpose(0, 1).flatten(1)
    assert trace.initial_states() == ("h", "dh")
    assert (trace.initial("h") == right.numpy()).all()


def test_layers_are_found_by_the_numbers_of_each_where_nothing_is_differentiated() -> None:
    for kind in (stacked, stacked_second, written, written_second):
        model, x = Stacked(kind, 2, 3, 4), torch.randn(3, 2, 3, dtype=torch.float64)
        with torch.no_grad(), lstmtui.recording() as r:
            model(x)
        assert gap(r.trace.values("h", -1), model.kept, KINDS[kind]) == 0


def test_where_nothing_tells_the_sequences_from_layers_it_is_said() -> None:
    model, x = Stacked(scales, 2, 3, 4), torch.randn(3, 2, 3, dtype=torch.float64)
    match = r"^h: several axes are 2 long, .* the first is taken to be"
    with pytest.warns(RuntimeWarning, match=match), torch.no_grad(), lstmtui.recording():
        model(x)

"""Tensors from before a loop are of its timesteps where passes take an item each, whatever is as long."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import lstmtui
from lstmtui.trace.source import Source


def source_of(trace: lstmtui.Trace, layer: int = 0) -> Source:
    source = trace.layers[layer].source
    assert source is not None
    return source


def series_and_constants(trace: lstmtui.Trace) -> tuple[set[str], set[str]]:
    source = source_of(trace)
    return {v.name for v in source.variables}, {c.name for c in source.constants}


@pytest.mark.parametrize("batch", [2, 3, 4, 5])
def test_an_input_that_a_block_reads_whole_in_each_pass_is_no_series(batch: int) -> None:
    x, memory, cell = torch.randn(batch, 3), torch.randn(batch, 4, 3), nn.Linear(9, 6)
    for steps in (3, 4, 5, 6):
        with lstmtui.recording() as r:
            h = torch.zeros(batch, 6)
            for _ in range(steps):
                read = (memory * h[:, None, :3]).sum(1)
                h = torch.tanh(cell(torch.cat([x + read, h], 1)))
            h.sum().backward()
        assert (r.trace.steps, r.trace.batch) == (steps, batch)
        assert series_and_constants(r.trace) == ({"read", "h"}, {"x", "memory"})


@pytest.mark.parametrize("batch", [2, 3, 5])
def test_data_is_of_no_epoch_that_reads_it_whole(batch: int) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.both = nn.Linear(7, 4)

        def forward(self, x: Tensor) -> Tensor:
            h = x.new_zeros(x.shape[1], 4)
            for v in x:
                h = torch.tanh(self.both(torch.cat([v, h], 1)))
            return h

    for epochs in (2, 3, 5):
        net, data = Net(), torch.randn(5, batch, 3)
        with lstmtui.recording() as r:
            for _ in range(epochs):
                loss = net(data).square().sum()
                loss.backward()
        own = source_of(r.trace)
        assert "data" in {c.name for c in own.constants}
        assert "data" not in {v.name for v in own.variables}


class Reads(nn.Module):
    """A loop that takes the items of its input in one of several ways.

    Args:
        how: it does.
        axis: of the input that is timesteps.
    """

    def __init__(self, how: str, axis: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.how, self.axis, self.both = how, axis, nn.Linear(6, 3)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        return getattr(self, self.how)(x, context)  # type: ignore[no-any-return]

    def counted(self, x: Tensor, context: Tensor) -> Tensor:
        h, out = torch.zeros_like(context), []
        for t in range(len(x)):
            h = torch.tanh(self.both(torch.cat([x[t], h + context], -1)))
            out.append(h)
        return torch.stack(out)

    def counted_second(self, x: Tensor, context: Tensor) -> Tensor:
        h, out, t = torch.zeros_like(context), [], 0
        while t < x.shape[1]:
            h = torch.tanh(self.both(torch.cat([x[:, t], h + context], -1)))
            out.append(h)
            t += 1
        return torch.stack(out)

    def iterated(self, x: Tensor, context: Tensor) -> Tensor:
        h, out = torch.zeros_like(context), []
        for _, v in enumerate(x):
            h = torch.tanh(self.both(torch.cat([v, h + context], -1)))
            out.append(h)
        return torch.stack(out)

    def selected(self, x: Tensor, context: Tensor) -> Tensor:
        h, out = torch.zeros_like(context), []
        for t in range(len(x)):
            h = torch.tanh(self.both(torch.cat([x.select(0, t), h + context], -1)))
            out.append(h)
        return torch.stack(out)


@pytest.mark.filterwarnings("ignore:lstmtui.record. the loss has no gradient")
@pytest.mark.parametrize(
    ("how", "axis"), [("counted", 0), ("counted_second", 1), ("iterated", 0), ("selected", 0)]
)
def test_timesteps_are_the_axis_of_which_passes_take_the_items(how: str, axis: int) -> None:
    for steps, batch in ((4, 2), (4, 4), (3, 3), (3, 5)):
        model, x = Reads(how, axis), torch.randn(steps, batch, 3)
        x, context = (x if axis == 0 else x.transpose(0, 1).contiguous()), torch.randn(batch, 3)
        if how == "selected" and steps == batch:
            continue  # by which axis is only in an argument of a function: then time_axis= says it
        trace = lstmtui.record(model, x, context)
        assert (trace.steps, trace.batch) == (steps, batch)
        series, constants = series_and_constants(trace)
        assert {"x", "h"} <= series
        assert "context" in constants
        assert np.array_equal(trace.values("x"), x.transpose(0, axis).numpy())
        assert np.array_equal(trace.values("h"), model(x, context).detach().numpy())

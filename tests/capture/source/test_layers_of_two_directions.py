"""Layers that read in both directions, with as many sequences as passes of two loops."""

from __future__ import annotations

import pytest
import torch
from oracles.recurrents import gap
from torch import Tensor, nn

import lstmtui


class Cell(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.both = nn.Linear(6, 3)

    def forward(self, v: Tensor, h: Tensor) -> Tensor:
        new_h = torch.tanh(self.both(torch.cat([v, h], -1)))
        return new_h  # noqa: RET504


class Deep(nn.Module):
    def __init__(self, count: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(7, 3)
        self.cells, self.kept = nn.ModuleList(Cell() for _ in range(count)), list[Tensor]()
        self.double()

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embedding(ids)
        for cell in self.cells:
            h, ahead = x.new_zeros(len(x), 3), []
            for t in range(x.shape[1]):
                h = cell(x[:, t], h)
                ahead.append(h)
            h, behind = x.new_zeros(len(x), 3), []
            for t in reversed(range(x.shape[1])):
                h = cell(x[:, t], h)
                behind.append(h)
            self.kept += ahead
            x = torch.stack(ahead, 1) + torch.stack(behind[::-1], 1)
        return x  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("steps", "batch", "count"), [(2, 6, 3), (3, 6, 2), (2, 4, 2), (3, 5, 2), (3, 9, 3), (4, 4, 2)]
)
def test_layers_of_a_loop_over_time_that_call_modules_of_their_own_are_no_chunks(
    steps: int, batch: int, count: int
) -> None:
    ids = torch.randint(0, 7, (batch, steps), generator=torch.Generator().manual_seed(1))
    by_hand = Deep(count)
    trace = lstmtui.record(Deep(count), ids)
    by_hand(ids)
    assert (trace.steps, trace.batch) == (steps, batch)
    states = torch.stack(by_hand.kept).view(count, steps, batch, 3).transpose(0, 1)
    source = trace.layers[0].source
    assert source is not None
    every = [trace.arrays[f"0/forward/inner/{v.name}"] for v in source.variables if v.inner_steps == count]
    assert min(gap(own, states) for own in every if own.shape == states.shape) <= 1e-12

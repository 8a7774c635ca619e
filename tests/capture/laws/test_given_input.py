"""Laws on models of which no recurrent layer tells the axes, and on outputs that are no numbers."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import lstmtui


class OwnCell(nn.Module):
    """A cell written by hand, over time in the second axis of x."""

    def __init__(self, *, takes_logarithm: bool = False, mixes: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.read, self.carry = nn.Linear(2, 4), nn.Linear(4, 4)
        self.takes_logarithm, self.mixes = takes_logarithm, mixes

    def forward(self, x: Tensor) -> Tensor:
        """h (B, T, 4)"""
        h, out = x.new_zeros(x.shape[0], 4), []
        for t in range(x.shape[1]):
            h = torch.tanh(self.read(x[:, t]) + self.carry(h))
            h = h + h.mean(0) if self.mixes else h
            out.append(torch.log(h - 0.1 * t + 1) if self.takes_logarithm else h)
        return torch.stack(out, 1)


@pytest.fixture
def x() -> Tensor:
    return torch.randn(3, 12, 2, generator=torch.Generator().manual_seed(1))


def test_batch_before_time_is_seen_where_only_so_the_sequences_are_kept_apart(x: Tensor) -> None:
    results = lstmtui.laws(OwnCell(), x)
    assert not any(result.broken for result in results)
    assert results[0].held
    assert results == tuple(r for r in results if "x was taken as (B, T, …)" in " ".join(r.notes))
    causality = next(result for result in results if result.name == "causality")
    assert "12 timesteps" in causality.text


def test_sequences_that_are_mixed_are_told_all_the_same(x: Tensor) -> None:
    assert lstmtui.laws(OwnCell(mixes=True), x, only=["isolation"])[0].broken
    assert lstmtui.laws(OwnCell(mixes=True), x, only=["isolation"], batch_first=True)[0].broken


def test_no_law_is_held_on_what_is_nan(x: Tensor) -> None:
    results = lstmtui.laws(OwnCell(takes_logarithm=True), x, batch_first=True)
    assert {result.status for result in results} == {"not taken"}
    assert all("is NaN, first at t=" in result.text for result in results)

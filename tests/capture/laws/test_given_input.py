"""Laws on models of which no recurrent layer tells the axes, and on outputs that are no numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from capture.laws.models import Does
from oracles.invented_cells import MINGRU
from torch import Tensor, nn

import lstmtui
from lstmtui.analysis.laws import HELD, NOT_TAKEN
from lstmtui.capture.laws.targets import trace_laws
from lstmtui.errors import UserError


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
    assert not results[0].notes
    unsaid = lstmtui.laws(OwnCell(takes_logarithm=True), x)
    assert all("x was taken as (T, B, …); batch_first = … says it" in result.notes for result in unsaid)


class Followed(OwnCell):
    """The cell, with a function of (B, T, units) behind it."""

    def __init__(self, function: Callable[[Tensor], Tensor], *, mixes: bool = False) -> None:
        super().__init__(mixes=mixes)
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(super().forward(x))


def zero_at_7(y: Tensor) -> Tensor:
    return torch.cat([y[:, :7].abs() + 0.1, 0 * y[:, 7:8], y[:, 8:].abs() + 0.1], 1)


def root_or_zero(y: Tensor) -> Tensor:
    """Finite everywhere, with a derivative of NaN where y < 0."""
    return torch.where(y > 0, torch.sqrt(y), torch.zeros_like(y))


@pytest.mark.parametrize(("sign", "value"), [(1.0, "−inf"), (-1.0, "inf")])
def test_no_law_is_held_on_what_is_infinite(x: Tensor, sign: float, value: str) -> None:
    results = lstmtui.laws(Followed(lambda y: sign * torch.log(zero_at_7(y))), x, batch_first=True)
    assert {result.status for result in results} == {"not taken"}
    assert results[0].text.startswith(f"y is {value}, first at t=7 of sequence 0, unit 0; `first-bad`")


@pytest.mark.parametrize("batch_first", [True, None])
def test_a_gradient_that_is_not_finite_accuses_no_model(x: Tensor, batch_first: bool | None) -> None:
    results = lstmtui.laws(Followed(root_or_zero), x, batch_first=batch_first)
    assert not any(result.broken for result in results)
    isolation, causality = results[:2]
    assert "a change of one sequence changes no other" in isolation.text
    assert isolation.text.startswith(
        "a gradient of y by x is NaN or infinite, which tells nothing; a change of"
    )
    assert causality.status == "not taken"
    starts = torch.zeros(3, 12, dtype=torch.bool)
    starts[:, 6] = True
    (reset,) = lstmtui.laws(Fresh(), x, starts=starts, only=["reset"], batch_first=True)
    assert reset.status == "not taken"
    assert "a gradient of y by x is NaN or infinite" in reset.text


class Fresh(Followed):
    """Begins anew at t=6."""

    def __init__(self) -> None:
        super().__init__(root_or_zero)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([super(Fresh, self).forward(part) for part in x.split(6, 1)], 1)


def test_a_leak_that_a_change_shows_is_told_without_a_finite_gradient(x: Tensor) -> None:
    result = lstmtui.laws(Followed(root_or_zero, mixes=True), x, only=["isolation"], batch_first=True)[0]
    assert result.broken
    assert "gradient" not in result.text


@pytest.mark.parametrize(
    "do",
    [
        lambda m, x: m.gru(x)[0][:-1],
        lambda m, x: m.gru(nn.functional.pad(x, (0, 0, 0, 0, 1, 0)))[0],
        lambda m, x: m.gru(m.conv(x.permute(1, 2, 0)).permute(2, 0, 1))[0],
    ],
)
def test_where_y_has_other_timesteps_than_x_what_needs_both_is_not_taken(x: Tensor, do: Any) -> None:
    starts = torch.zeros(x.shape[:2], dtype=torch.bool)
    starts[1, 1] = True
    model = Does(
        do, gru=nn.GRU(x.shape[2], 5), conv=nn.Conv1d(x.shape[2], x.shape[2], 3, stride=2, padding=1)
    )
    results = {law.name: law for law in lstmtui.laws(model, x, starts=starts, batch_first=False)}
    assert (results["isolation"].status, results["save"].status) == (HELD, HELD)
    for name in ("causality", "reset"):
        assert (results[name].status, "which belong together" in results[name].text) == (NOT_TAKEN, True)


def test_a_state_is_no_reason_to_compare_chunks_of_another_length(x: Tensor) -> None:
    class Shorter(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gru = nn.GRU(2, 5)

        def forward(self, x: Tensor, state: Any = None, lengths: Any = None) -> Any:
            y, state = self.gru(x, state)
            return y[:-1], state

    statuses = {law.name: law.status for law in lstmtui.laws(Shorter(), x, batch_first=False)}
    assert (statuses["chunks"], statuses["steps"], statuses["padding"]) == (NOT_TAKEN,) * 3


def test_of_a_trace_only_cells_are_run_again(x: Tensor) -> None:
    code = lstmtui.record(OwnCell(), x, source=True)
    with pytest.raises(UserError, match="a law runs its code again, which a trace does not hold"):
        trace_laws(code)
    cell = lstmtui.record(lstmtui.Recurrent(MINGRU, 2, 4, batch_first=True), x)
    assert not any(result.broken for result in trace_laws(cell))

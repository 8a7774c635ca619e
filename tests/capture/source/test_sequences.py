"""How many sequences a run reads, where other sizes coincide with theirs or with the timesteps."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import lstmtui
from lstmtui.trace.source import Source


def source_of(trace: lstmtui.Trace) -> Source:
    source = trace.layers[-1].source
    assert source is not None
    return source


class Summing(nn.Module):
    """States of two layers, and a sum of losses that is a tensor of one number."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.Linear(3, 4)

    def forward(self, x: Tensor) -> Tensor:
        h, loss = x.new_zeros(2, x.shape[1], 4), torch.zeros(1)
        for v in x:
            h = torch.tanh(self.cell(v) + h)
            loss = loss + h.square().sum()
        return loss


@pytest.mark.parametrize("batch", [3, 5])
def test_a_state_that_is_one_number_says_nothing_of_the_sequences(batch: int) -> None:
    trace = lstmtui.record(Summing(), torch.randn(6, batch, 3))
    assert trace.batch == batch
    variables = {variable.name: variable.shape for variable in source_of(trace).variables}
    assert variables["h"] == (2, 4)
    assert {"h", "loss_"} <= {*source_of(trace).states}


def test_an_axis_nearly_as_long_as_the_run_may_be_the_sequences_too() -> None:
    class Refined(nn.Module):
        def forward(self, state: Tensor) -> Tensor:
            for _ in range(3):
                mixed = state.mean(1, keepdim=True)
                state = torch.tanh(state + mixed)
            return state

    trace = lstmtui.record(Refined(), torch.randn(2, 7, 4, requires_grad=True))
    assert (trace.steps, trace.batch) == (3, 2)


class Dropped(nn.Module):
    """A layer the recurrent weights of which are computed by a loop over their names."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(3, 5)
        self.raw = nn.Parameter(self.rnn.weight_hh_l0.detach().clone())
        del self.rnn.weight_hh_l0

    def forward(self, x: Tensor) -> Tensor:
        for name in ("weight_hh_l0",):
            raw = self.raw
            w = nn.functional.dropout(raw, 0.5)
            setattr(self.rnn, name, w)
        out: Tensor = self.rnn(x)[0]
        return out


def test_rows_of_weights_are_no_sequences() -> None:
    trace = lstmtui.record(Dropped(), torch.randn(6, 2, 3), source=True)
    assert (trace.steps, trace.batch) == (6, 2)


def test_units_of_a_last_state_are_no_timesteps_though_as_many() -> None:
    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = nn.Linear(9, 6)

        def forward(self, x: Tensor) -> Tensor:
            h, out = x.new_zeros(x.shape[1], 6), []
            for v in x:
                h = torch.tanh(self.cell(torch.cat([v, h], 1)))
                out.append(h)
            last = 2 * h
            return torch.stack(out) + last

    model, x = Last(), torch.randn(6, 2, 3)
    source = source_of(trace := lstmtui.record(model, x))
    assert "last" not in {variable.name for variable in source.variables}
    assert [c.shape for c in source.constants if c.name == "last"] == [(2, 6)]
    assert np.array_equal(trace.arrays["0/forward/once/last"], 2 * trace.values("h")[-1])

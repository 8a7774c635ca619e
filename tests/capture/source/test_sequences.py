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


class Attends(nn.Module):
    """Attention whose scores, and most of its names, lead with timesteps: (q, k, sequences, heads)."""

    def __init__(self) -> None:
        super().__init__()
        self.all = nn.Linear(4, 12)

    def forward(self, w: Tensor, memory: Tensor) -> Tensor:
        both = torch.cat([memory, w])
        q, k, v = (part.unflatten(-1, (4, 1)) for part in self.all(both).chunk(3, -1))
        q = q[-len(w) :]
        scores = torch.einsum("ibnd,jbnd->ijbn", q, k)
        scaled = scores / 2
        shifted = scaled - scaled.amax(1, keepdim=True)
        weights = shifted.softmax(1)
        kept = weights * (weights > 0)
        shares = kept / kept.sum(1, keepdim=True)
        read = torch.einsum("ijbn,jbnd->ibnd", shares, v)
        return read.flatten(2)


class Rows(nn.Module):
    """A loss of each row of what the timesteps and sequences of a segment were flattened into."""

    def forward(self, rows: Tensor) -> Tensor:
        squares = rows.square()
        losses = squares.sum(-1)
        return losses  # noqa: RET504


class Segments(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.attends, self.rows = Attends(), Rows()

    def forward(self, x: Tensor) -> Tensor:
        memory, total = x.new_zeros(3, x.shape[1], 4), x.new_zeros(())
        for segment in x.split(3):
            memory = torch.tanh(self.attends(segment, memory))
            total = total + self.rows(memory.flatten(0, 1)).mean()
        return total


def test_what_the_user_says_the_sequences_are_holds_for_every_module() -> None:
    model, x = Segments(), torch.randn(12, 2, 4)
    trace = lstmtui.record(model, x, batch_axis=1)
    assert (trace.steps, trace.batch) == (4, 2)
    paths = [layer.path for layer in trace.layers]
    attends, rows = paths.index("attends"), paths.index("rows")
    assert trace.values("scores", attends).shape == (4, 2, 3 * 6 * 4)
    assert trace.values("read", attends).shape == (4, 2, 3 * 4)
    # A segment of both sequences has one loss for each row, which are no sequences.
    losses = trace.layers[rows].source
    assert losses is not None
    assert [v.shape for v in losses.variables if v.name == "losses"] == [(6,)]
    assert trace.values("losses", rows)[:, 0].mean(1).sum() == pytest.approx(model(x).item(), rel=1e-6)


class Swings(nn.Module):
    """Pendulums under control, whose input is the state that they begin from: (sequences, variables)."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor([0.5, 1.5]))
        self.kept: list[Tensor] = []

    def forward(self, state: Tensor) -> Tensor:
        for _ in range(7):
            force = torch.tanh(state @ self.gain)
            angle, speed = state.unbind(-1)
            pull = torch.sin(angle)
            slowed = 0.9 * speed
            speed = slowed + 0.1 * (force - pull)
            angle = angle + 0.1 * speed
            state = torch.stack([angle, speed], -1)
            self.kept.append(state)
        return state


@pytest.mark.parametrize("batch", [2, 3, 7])
def test_states_to_begin_from_are_one_for_each_sequence_though_a_parameter_has_as_many(batch: int) -> None:
    model, by_hand, x = Swings(), Swings(), torch.randn(batch, 2)
    trace = lstmtui.record(model, x)
    by_hand(x)
    assert (trace.steps, trace.batch) == (7, batch)
    assert trace.values("force").shape == (7, batch, 1)
    assert np.array_equal(trace.values("state"), torch.stack(by_hand.kept).detach().numpy())


class Orthogonal(nn.Module):
    """A matrix that is computed anew of a parameter in each timestep."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.skew, self.reads = nn.Parameter(torch.randn(4, 4)), nn.Linear(2, 4)

    def forward(self, x: Tensor) -> Tensor:
        h, fixed = x.new_zeros(x.shape[1], 4), x[0] @ x.new_ones(2, 4)
        for v in x:
            half = self.skew - self.skew.t()
            matrix = torch.matrix_exp(half)
            again = self.reads(v - v) + fixed
            h = torch.tanh(self.reads(v) + h @ matrix.t() + again)
        return h


@pytest.mark.parametrize("batch", [3, 4])
def test_what_is_computed_of_parameters_alone_has_no_sequences_though_it_has_as_many_rows(batch: int) -> None:
    model, x = Orthogonal(), torch.randn(5, batch, 2)
    trace = lstmtui.record(model, x)
    source = source_of(trace)
    assert (trace.steps, trace.batch) == (5, batch)
    assert {"half", "matrix"} <= {constant.name for constant in source.constants}
    assert {"again", "h", "v"} <= {variable.name for variable in source.variables}
    assert np.array_equal(trace.values("h")[-1], model(x).detach().numpy())

"""y is what the module returned for each timestep: told by what it is made of, where shapes tell nothing.

Every size is 4 (timesteps, sequences, units, layers times directions), so that any two axes look alike.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from oracles.recurrents import gap, noise
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

import lstmtui
from lstmtui.capture.record import record

EXACT = 1e-12
N = 4
LENGTHS = torch.tensor([2, 4, 1, 3])


def square_sum(result: Any) -> Tensor:
    """A loss of every tensor of a result."""
    if isinstance(result, PackedSequence):
        return (result.data**2).sum()
    if isinstance(result, Tensor):
        return (result**2).sum()
    parts = result.values() if isinstance(result, dict) else result
    return sum((square_sum(part) for part in parts), torch.zeros(()).double())


class Model(nn.Module):
    """A layer with something of a user's own after it."""

    def __init__(self, layer: nn.Module, after: Callable[[Model, Tensor], Any]) -> None:
        super().__init__()
        self.layer, self.after = layer, after
        self.fc, self.norm, self.conv = nn.Linear(N, N), nn.LayerNorm(N), nn.Conv1d(N, N, 3, padding=1)
        self.attention = nn.MultiheadAttention(N, 2)

    def forward(self, x: Tensor) -> Any:
        return self.after(self, x)


class Swap(torch.autograd.Function):
    """A function of a user's own, of which the graph says nothing."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.transpose(0, 1).clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient.transpose(0, 1)


def into_zeros(m: Model, x: Tensor) -> Tensor:
    whole = x.new_zeros(N, N, N)
    whole[1] = m.layer(x)[0][2]
    return whole


def packed(m: Model, x: Tensor, head: Callable[[PackedSequence], PackedSequence] = lambda p: p) -> Tensor:
    given = pack_padded_sequence(x, LENGTHS, enforce_sorted=False)
    return pad_packed_sequence(head(m.layer(given)[0]))[0]


def packed_batch_first(m: Model, x: Tensor) -> Tensor:
    given = pack_padded_sequence(x.transpose(0, 1), LENGTHS, batch_first=True, enforce_sorted=False)
    return m.fc(pad_packed_sequence(m.layer(given)[0], batch_first=True)[0])


def packed_equal(m: Model, x: Tensor) -> Tensor:
    return pad_packed_sequence(m.layer(pack_padded_sequence(x, torch.full((N,), N)))[0])[0]


def by_index(h: Tensor, fc: nn.Module) -> Tensor:
    return torch.stack([fc(h[t]) for t in range(N)])


def halves(h: Tensor, fc: nn.Module) -> Tensor:
    return torch.cat([fc(h[:2]), h[-2:].relu()])


def first(y: Any) -> Any:
    return y


def swapped(y: Any) -> Any:
    return y.transpose(0, 1)


GRU = lambda: nn.GRU(N, N)  # noqa: E731
TOLD: dict[str, tuple[Callable[[Model, Tensor], Any], Callable[[Any], Tensor]]] = {
    "the output itself": (lambda m, x: m.layer(x)[0], first),
    "batch first": (lambda m, x: m.layer(x)[0].transpose(0, 1), swapped),
    "linear": (lambda m, x: m.fc(m.layer(x)[0]), first),
    "linear of a transposed one": (lambda m, x: m.fc(m.layer(x)[0].transpose(0, 1)), swapped),
    "norm and dropout": (
        lambda m, x: nn.functional.dropout(m.norm(m.layer(x)[0]), 0.5).permute(1, 0, 2),
        swapped,
    ),
    "residual": (lambda m, x: x + m.fc(m.layer(x)[0]).relu(), first),
    "flattened": (lambda m, x: m.fc(m.layer(x)[0].reshape(N * N, N)).view(N, N, N), first),
    "left flat": (lambda m, x: m.fc(m.layer(x)[0].flatten(0, 1)), lambda y: y.view(N, N, N)),
    "one value": (lambda m, x: m.fc(m.layer(x)[0])[..., 1], lambda y: y.unsqueeze(-1)),
    "heads": (lambda m, x: m.layer(x)[0].unflatten(-1, (2, 2)), lambda y: y.flatten(2)),
    "log softmax": (lambda m, x: {"logits": m.fc(m.layer(x)[0]).log_softmax(-1)}, lambda y: y["logits"]),
    "beside the state": (lambda m, x: m.layer(x)[::-1], lambda y: y[1]),
    "einsum": (lambda m, x: torch.einsum("tbh,oh->bto", m.layer(x)[0], m.fc.weight), swapped),
    "convolution": (lambda m, x: m.conv(m.layer(x)[0].permute(1, 2, 0)), lambda y: y.permute(2, 0, 1)),
    "attention": (lambda m, x: m.attention(x, *[m.layer(x)[0]] * 2)[0] + m.layer(x)[0], first),
    "step by step": (lambda m, x: torch.stack([m.fc(h) for h in m.layer(x)[0]], 1), swapped),
    "index by index": (lambda m, x: by_index(m.layer(x)[0], m.fc), first),
    "two halves": (lambda m, x: halves(m.layer(x)[0], m.fc), first),
    "two chunks": (lambda m, x: torch.cat([m.fc(h) for h in m.layer(x)[0].chunk(2)]), first),
    "wider": (lambda m, x: torch.cat([x, m.layer(x)[0]], -1), first),
    "packed": (packed, first),
    "packed, batch first": (packed_batch_first, swapped),
    "packed, of equal lengths": (packed_equal, first),
    "packed, through a linear layer": (
        lambda m, x: packed(m, x, lambda p: PackedSequence(m.fc(p.data), *p[1:])),
        first,
    ),
    "left packed": (
        lambda m, x: m.layer(pack_padded_sequence(x, LENGTHS, enforce_sorted=False)),
        lambda y: pad_packed_sequence(y[0])[0],
    ),
    "without gradients": (lambda m, x: (m.layer(x)[0], 0 * m.fc(x))[0], first),
}
UNTOLD: dict[str, Callable[[Model, Tensor], Any]] = {
    "the last states": lambda m, x: m.layer(x)[1],
    "the last timestep": lambda m, x: m.fc(m.layer(x)[0][-1]),
    "the last timestep, spread": lambda m, x: m.layer(x)[0][-1].expand(N, N, N),
    "the mean": lambda m, x: m.layer(x)[0].mean(0, keepdim=True).expand(N, N, N),
    "what other timesteps gave": lambda m, x: m.layer(x)[0].flip(0),
    "other sequences": lambda m, x: m.layer(x)[0][:, [1, 0, 3, 2]],
    "other sequences, by index": lambda m, x: m.layer(x)[0].index_select(1, torch.tensor([1, 0, 3, 2])),
    "rolled": lambda m, x: m.layer(x)[0].roll(1, 0),
    "windows": lambda m, x: nn.functional.pad(m.layer(x)[0], (0, 0, 0, 0, 0, 1)).unfold(0, 2, 1)[..., 0],
    "a function of one's own": lambda m, x: Swap.apply(m.layer(x)[0]),
    "one timestep in a buffer": into_zeros,
    "the order turned round": lambda m, x: torch.stack([*m.layer(x)[0]][::-1]),
    "nothing of the layer": lambda m, x: (0 * m.layer(x)[0].sum()).detach() + m.fc(x),
    "sorted": lambda m, x: m.layer(x)[0].sort(0)[0],
    "without the first": lambda m, x: m.layer(x)[0][1:],
}


@pytest.mark.parametrize("case", TOLD)
def test_time_and_sequences_are_told_by_what_the_output_is_made_of(case: str) -> None:
    forward, of = TOLD[case]
    model, x = Model(GRU(), forward).double(), noise(N, N, N, seed=3)
    torch.manual_seed(5)
    trace = record(model, x, loss=square_sum)
    torch.manual_seed(5)
    expected = of(model(x)).detach()
    assert gap(trace.values("y"), expected) <= EXACT
    assert gap(trace.values("dy"), 2 * expected) <= EXACT


@pytest.mark.parametrize("case", UNTOLD)
def test_there_is_no_y_where_they_cannot_be_told(case: str) -> None:
    model = Model(nn.GRU(N, N, 2, bidirectional=True), UNTOLD[case]).double()
    if case not in ("the last states", "windows", "sorted", "the order turned round", "rolled"):
        model.layer = nn.GRU(N, N).double()
    assert "y" not in record(model, noise(N, N, N, seed=4), loss=square_sum).arrays


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize("as_packed", [False, True])
def test_of_a_recurrent_layer_it_is_the_output_and_never_the_last_state(
    kind: Any, batch_first: bool, as_packed: bool
) -> None:
    layer = kind(N, N, 2, bidirectional=True, batch_first=batch_first).double()
    x = noise(N, N, N, seed=6)
    given = pack_padded_sequence(x, LENGTHS, batch_first, enforce_sorted=False) if as_packed else x
    output = layer(given)[0]
    output = pad_packed_sequence(output, batch_first)[0] if as_packed else output
    trace = record(layer, given)
    assert gap(trace.values("y"), output.transpose(0, 1) if batch_first else output) <= EXACT
    assert trace.values("dy").shape == trace.values("y").shape


@pytest.mark.parametrize(
    "sizes", [(5, 1), (1, 3), (1, 1)], ids=["one sequence", "one timestep", "one of each"]
)
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("is_sorted", [False, True])
def test_of_packed_data_with_one_sequence_or_timestep(
    sizes: tuple[int, int], batch_first: bool, is_sorted: bool
) -> None:
    steps, batch = sizes

    def forward(model: Model, x: Tensor) -> Tensor:
        given = pack_padded_sequence(x, [steps] * batch, batch_first, enforce_sorted=is_sorted)
        output = model.layer(given)[0]
        headed = PackedSequence(model.fc(output.data), *output[1:])
        return pad_packed_sequence(headed, batch_first)[0]

    model = Model(nn.GRU(N, N, batch_first=batch_first), forward).double()
    x = noise(*((batch, steps) if batch_first else sizes), N, seed=9)
    expected = model(x).transpose(0, 1) if batch_first else model(x)
    assert gap(record(model, x, loss=square_sum).values("y"), expected.detach()) <= EXACT


def test_unbatched_and_of_our_own_cells() -> None:
    layer, x = lstmtui.Recurrent("gru_reset_before", N, N, num_layers=2).double(), noise(N, N, seed=7)
    assert gap(record(layer, x).values("y")[:, 0], layer(x)[0]) <= EXACT
    cell = nn.LSTMCell(N, N).double()
    assert np.array_equal((trace := record(cell, noise(N, N, N, seed=8))).values("y"), trace.values("h"))


class Loop(nn.Module):
    """A cell, or a layer of one timestep, in a loop."""

    def __init__(self, cell: nn.Module, join: Callable[[list[Tensor]], Tensor]) -> None:
        super().__init__()
        self.cell, self.join, self.fc = cell, join, nn.Linear(N, N)

    def forward(self, x: Tensor) -> Tensor:
        state, outputs = None, []
        for step in x:
            if isinstance(self.cell, nn.RNNCellBase):
                state = self.cell(step, state)
                outputs.append(self.fc(state[0] if isinstance(state, tuple) else state))
            else:
                output, state = self.cell(step[None], state)
                outputs.append(self.fc(output)[0])
        return self.join(outputs)


@pytest.mark.parametrize("cell", [nn.LSTMCell, nn.GRUCell, nn.GRU])
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("batch", [N, 1])
def test_of_a_loop_it_is_what_the_calls_gave_one_behind_the_other(
    cell: Any, turned: bool, batch: int
) -> None:
    def join(outputs: list[Tensor]) -> Tensor:
        return torch.stack(outputs, 1) if turned else torch.cat([y.unsqueeze(0) for y in outputs])

    model, x = Loop(cell(N, N), join).double(), noise(N, batch, N, seed=9)
    expected = model(x).transpose(0, 1) if turned else model(x)
    assert gap(record(model, x, loss=square_sum).values("y"), expected) <= EXACT


def test_of_a_loop_that_keeps_them_in_another_order_there_is_none() -> None:
    model = Loop(nn.GRUCell(N, N), lambda outputs: torch.stack(outputs[::-1])).double()
    assert "y" not in record(model, noise(N, N, N, seed=10), loss=square_sum).arrays

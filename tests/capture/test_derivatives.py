"""Every value and every total derivative against plain loops that keep their gradients."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from oracles.hand_loops import HandLoop, gradient_gap
from oracles.recurrents import CELL_NAMES, LSTM_NAMES, gap, noise, random_recurrent, random_states, stock_of
from torch import nn

from lstmtui.capture.record import record

pytestmark = pytest.mark.usefixtures("each_method")
EXACT = 1e-12


@pytest.mark.parametrize(
    ("layers", "bidirectional", "bias"), [(1, False, True), (2, True, True), (3, False, False)]
)
@pytest.mark.parametrize("cell", CELL_NAMES)
def test_every_derivative_is_that_of_the_hand_loop(
    cell: str, layers: int, bidirectional: bool, bias: bool
) -> None:
    module = random_recurrent(cell, num_layers=layers, bidirectional=bidirectional, bias=bias)
    x, hx = noise(7, 2, 3, seed=10), random_states(module, 2)
    assert gradient_gap(module, x, hx, noise(7, 2, 4 * (1 + bidirectional), seed=11)) <= EXACT


@pytest.mark.parametrize("cell", LSTM_NAMES)
def test_derivatives_through_a_projection_are_those_of_the_hand_loop(cell: str) -> None:
    module = random_recurrent(cell, hidden_size=5, num_layers=2, proj_size=2, bidirectional=True)
    x, hx = noise(6, 2, 3, seed=12), random_states(module, 2)
    assert gradient_gap(module, x, hx, noise(6, 2, 4, seed=13)) <= EXACT


@pytest.mark.parametrize("kind", [nn.LSTMCell, nn.GRUCell, nn.RNNCell])
def test_state_derivatives_are_those_of_a_loop_over_pytorchs_own_cell(kind: Any) -> None:
    torch.manual_seed(3)
    cell = kind(3, 4).double()
    x, weights = noise(8, 2, 3, seed=14), noise(8, 2, 4, seed=15)
    trace = record(cell, x, loss=lambda result: (weights * result[0] ** 2).sum())
    leaf = x.clone().requires_grad_()
    state = None
    states = []
    for step in leaf:
        new = cell(step, state)
        now = new if isinstance(new, tuple) else (new,)
        for value in now:
            value.retain_grad()
        states.append(now)
        state = new
    cell.zero_grad()
    outputs = torch.stack([s[0] for s in states])
    (weights * outputs**2).sum().backward()  # type: ignore[no-untyped-call]
    for number, name in enumerate(("h", "c")[: len(states[0])]):
        assert gap(trace.values(name), torch.stack([s[number] for s in states])) <= EXACT
        assert gap(trace.values("d" + name), torch.stack([s[number].grad for s in states])) <= EXACT
    assert gap(trace.values("dx"), leaf.grad) <= EXACT
    for name, parameter in cell.named_parameters():
        assert gap(trace.parameter_gradients[name], parameter.grad) <= EXACT


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn_tanh", "rnn_relu"])
@pytest.mark.parametrize("lengths", [[6, 3, 5], [2, 6, 1]])
def test_gradients_of_padded_sequences_are_those_of_torch_packed(cell: str, lengths: list[int]) -> None:
    module = random_recurrent(cell, num_layers=2, bidirectional=True)
    stock = stock_of(module)
    x, hx, weights = noise(6, 3, 3, seed=16), random_states(module, 3), noise(6, 3, 8, seed=17)
    counts = torch.tensor(lengths)
    trace = record(module, x, hx=hx, lengths=counts, loss=lambda result: (weights * result[0] ** 2).sum())
    leaf = x.clone().requires_grad_()
    packed = nn.utils.rnn.pack_padded_sequence(leaf, counts, enforce_sorted=False)
    output, _ = nn.utils.rnn.pad_packed_sequence(stock(packed, hx)[0], total_length=6)
    (weights * output**2).sum().backward()  # type: ignore[no-untyped-call]
    assert gap(trace.values("y"), output) <= EXACT
    assert gap(trace.values("dx"), leaf.grad) <= EXACT
    assert trace.lengths.tolist() == lengths
    for name, parameter in stock.named_parameters():
        assert gap(trace.parameter_gradients[name], parameter.grad) <= EXACT


@pytest.mark.parametrize("cell", ["lstm_peephole", "lstm_coupled", "gru_reset_before"])
def test_a_padded_sequence_is_recorded_as_it_would_be_alone(cell: str) -> None:
    module = random_recurrent(cell, num_layers=2, bidirectional=True)
    x = noise(6, 2, 3, seed=18)
    together = record(module, x, lengths=[6, 4], loss=lambda result: (result[0] ** 2).sum())
    alone = record(module, x[:4, 1:], loss=lambda result: (result[0] ** 2).sum())
    for layer in (0, 1):
        for direction in ("forward", "backward"):
            for name in alone.quantities(layer):
                both = together.values(name, layer, direction)
                assert gap(both[:4, 1:], alone.values(name, layer, direction)) <= EXACT, name
                if name != "x" or layer:
                    assert not both[4:, 1].any(), name


@pytest.mark.parametrize(
    "module", [nn.LSTM(3, 4), nn.GRU(3, 4), nn.RNN(3, 4), nn.RNN(3, 4, nonlinearity="relu")]
)
def test_a_stock_module_is_recorded_as_the_cell_it_is(module: nn.RNNBase) -> None:
    module = module.double()
    names = {"LSTM": "lstm", "GRU": "gru", "RNN": f"rnn_{getattr(module, 'nonlinearity', '')}"}
    ours = random_recurrent(names[type(module).__name__])
    ours.load_state_dict(module.state_dict())
    x = noise(5, 2, 3, seed=19)
    trace = record(module, x)
    loop = HandLoop(ours, x, random_zero_states(ours))
    loop.output[-1].sum().backward()  # type: ignore[no-untyped-call]
    for name, values in loop.values[0, "forward"].items():
        wanted = torch.stack([v.grad if v.grad is not None else torch.zeros_like(v) for v in values])
        assert gap(trace.values("d" + name), wanted) <= EXACT
    assert trace.loss == pytest.approx(float(loop.output[-1].detach().sum()), abs=EXACT)


def random_zero_states(module: torch.nn.Module) -> object:
    """hx of zeros, as PyTorch takes it where none is given."""
    state = random_states(module, 2)  # type: ignore[arg-type]
    return tuple(torch.zeros_like(s) for s in state) if isinstance(state, tuple) else torch.zeros_like(state)

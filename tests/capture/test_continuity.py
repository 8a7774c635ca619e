"""Calls of a module that go on from one another are one run, whatever was done to the states in between."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from oracles.recurrents import gap, noise
from torch import Tensor, nn

import lstmtui
from lstmtui.capture.record import record
from lstmtui.trace import Trace

EXACT = 1e-12
States = tuple[Tensor, ...]

KINDS: dict[str, Callable[[], nn.Module]] = {
    "LSTM": lambda: nn.LSTM(3, 4, num_layers=2),
    "GRU": lambda: nn.GRU(3, 4),
    "RNN": lambda: nn.RNN(3, 4),
    "projected": lambda: nn.LSTM(3, 4, proj_size=2),
    "Recurrent": lambda: lstmtui.Recurrent("gru_reset_before", 3, 4),
}


def masked(states: States, number: int) -> States:
    """Sequence 0 ends before the second chunk, and all of them before the third."""
    keep = torch.ones(2, 1, dtype=torch.float64)
    keep[: {1: 1, 2: 2}.get(number, 0)] = 0
    return tuple(keep * state for state in states)


def in_place(states: States, number: int) -> States:
    for state in states if number == 2 else ():
        state[:, 1] = 0
    return states


CHANGES: dict[str, Callable[[States, int], States]] = {
    "masked": masked,
    "detached": lambda states, number: tuple(s.detach() for s in states) if number == 2 else states,
    "detached and decayed": lambda states, number: tuple(s.detach() * 0.5 ** (number - 1) for s in states),
    "begun again": lambda states, number: tuple(map(torch.zeros_like, states)) if number == 2 else states,
    "in place": in_place,
    "bridged": lambda states, number: tuple(torch.tanh(s.flip(-1)) for s in states),
}


class Chunks(nn.Module):
    """Hands its module one chunk after the other, and changes the states in between."""

    def __init__(self, rnn: nn.Module, size: int, change: Callable[[States, int], States]) -> None:
        super().__init__()
        self.rnn, self.size, self.change = rnn, size, change
        self.given: list[States] = []
        self.outputs: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        outputs, state = [], None
        for number, chunk in enumerate(x.split(self.size)):
            if state is not None:
                changed = self.change(state if isinstance(state, tuple) else (state,), number)
                self.given.append(tuple(s.detach().clone() for s in changed))
                state = changed if isinstance(state, tuple) else changed[0]
            output, state = self.rnn(chunk, state)
            if output.requires_grad:
                output.retain_grad()
            outputs.append(output)
        self.outputs = outputs
        return torch.cat(outputs)


def squares(y: Tensor) -> Tensor:
    return y.square().sum()


def unseen(_: Any) -> Tensor:
    """A loss that depends on nothing."""
    return torch.ones((), requires_grad=True).sum()


def paths(trace: Trace) -> list[str]:
    return [layer.path for layer in trace.layers]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_changed_states_are_kept_beside_one_run(kind: str, size: int, change: str) -> None:
    torch.manual_seed(0)
    model, x = Chunks(KINDS[kind]().double(), size, CHANGES[change]), noise(6, 2, 3, seed=20)
    trace = record(model, x, loss=squares)
    layers = len(trace.layers)
    assert paths(trace) == ["rnn"] * layers
    assert [layer.calls for layer in trace.layers] == [6 // size] * layers
    assert trace.steps == 6
    model.given = []
    result = model(x)
    squares(result).backward()
    assert gap(trace.values("h", layers - 1), result) <= EXACT
    assert gap(trace.values("y"), result) <= EXACT
    for name, gradient in trace.parameter_gradients.items():
        assert gap(gradient, model.get_parameter(name).grad) <= EXACT
    for layer in range(layers):
        for position, state in enumerate(trace.cell(layer).states):
            before = trace.arrays.get(f"{layer}/forward/before/{state}")
            assert (before is None) is (change == "detached")
            for number, given in enumerate([] if before is None else model.given, 1):
                assert gap(before[number * size], given[position][layer]) <= EXACT


def test_total_derivatives_pass_through_the_changes() -> None:
    torch.manual_seed(1)
    model, x = Chunks(nn.LSTM(3, 4).double(), 1, masked), noise(6, 2, 3, seed=21)
    trace = record(model, x, loss=squares)
    finals: list[Tensor] = []
    model.rnn.register_forward_hook(lambda _m, _a, result: finals.extend(result[1]))
    squares_of = model(x)
    for tensor in finals:
        tensor.retain_grad()
    squares(squares_of).backward()
    for t, output in enumerate(model.outputs):
        wanted = [output.grad, *(f.grad for f in finals[2 * t : 2 * t + 2])]
        d_output, d_h, d_c = (torch.zeros(1, 2, 4) if grad is None else grad for grad in wanted)
        assert gap(trace.values("dh")[t], (d_output + d_h)[0]) <= EXACT
        o, c = torch.tensor(trace.values("o")[t]), torch.tensor(trace.values("c")[t])
        own = d_c[0] + (d_output + d_h)[0] * o * (1 - c.tanh().square())
        assert gap(trace.values("dc")[t], own) <= EXACT
    assert not trace.values("dc")[1].any() or trace.values("dh")[1].any()


@pytest.mark.parametrize("change", ["masked", "begun again", "detached and decayed"])
def test_without_a_graph_states_are_known_by_their_values(change: str) -> None:
    class Rollout(Chunks):
        def forward(self, x: Tensor) -> Tensor:
            with torch.no_grad():
                return super().forward(x)

    trace = record(Rollout(nn.GRU(3, 4).double(), 1, CHANGES[change]), noise(6, 2, 3, seed=22), loss=unseen)
    assert [(layer.path, layer.calls) for layer in trace.layers] == [("rnn", 6)]


def test_a_buffer_that_is_written_into_is_one_state_over_time() -> None:
    class Streaming(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.LSTM(3, 4)
            self.register_buffer("h", torch.zeros(1, 2, 4))
            self.register_buffer("c", torch.zeros(1, 2, 4))

        @torch.no_grad()
        def forward(self, x: Tensor) -> Tensor:
            outputs = []
            for chunk in x.split(2):
                output, (h, c) = self.rnn(chunk, (self.h, self.c))
                self.h.copy_(h)
                self.c.copy_(c)
                outputs.append(output)
            return torch.cat(outputs)

    model, x = Streaming().double(), noise(6, 2, 3, seed=23)
    trace, whole = record(model, x, loss=unseen), record(model.rnn, x)
    assert paths(trace) == ["rnn"]
    for name in ("h", "c", "f"):
        assert gap(trace.values(name), whole.values(name)) <= EXACT
    assert not [key for key in trace.arrays if "before" in key]
    assert not trace.initial("h").any()


class Several(nn.Module):
    """Calls of one or two modules, as a function of them."""

    def __init__(self, run: Callable[[Any, Any, Tensor], Sequence[Tensor]]) -> None:
        super().__init__()
        self.a, self.b, self.run = nn.GRU(3, 4), nn.GRU(3, 4), run

    def forward(self, x: Tensor) -> Tensor:
        return sum(output.square().sum() for output in self.run(self.a, self.b, x))  # type: ignore[return-value]


def zeros(x: Tensor) -> Tensor:
    return x.new_zeros(1, x.shape[1], 4)


def twice_from_zeros(a: Any, b: Any, x: Tensor) -> Sequence[Tensor]:
    return a(x, zeros(x))[0], a(2 * x, zeros(x))[0]


def decoded_twice(a: Any, b: Any, x: Tensor) -> Sequence[Tensor]:
    _, encoded = a(x)
    outputs = []
    for scale in (1, 2):
        state = torch.tanh(encoded) * scale
        for _ in range(3):
            output, state = b(x[:1], state)
            outputs.append(output)
    return outputs


def two_streams(a: Any, b: Any, x: Tensor) -> Sequence[Tensor]:
    left, right, outputs = None, None, []
    for chunk in x.split(2):
        output, left = a(chunk, left)
        other, right = a(-chunk, right)
        outputs += [output, other]
    return outputs


def backtracking(a: Any, b: Any, x: Tensor) -> Sequence[Tensor]:
    _, first = a(x[:2])
    _, second = a(x[2:4], first)
    return a(x[4:], second)[0], a(-x[4:], first)[0]


@pytest.mark.parametrize(("run", "wanted"), [
    (lambda a, b, x: (a(x)[0], a(2 * x)[0]), ["a", "a@2"]),
    (twice_from_zeros, ["a", "a@2"]),
    (lambda a, b, x: (a(x)[0], b(x, a(2 * x)[1])[0]), ["a", "a@2", "b"]),
    (decoded_twice, ["a", "b", "b@2"]),
    (two_streams, ["a", "a@2"]),
    (backtracking, ["a", "a@2"]),
], ids=["no states", "zeros twice", "two modules", "decoded", "two streams", "backtracking"])  # fmt: skip
@pytest.mark.parametrize("with_graph", [True, False])
def test_calls_that_do_not_go_on_from_the_one_before_are_runs_of_their_own(
    run: Any, wanted: list[str], with_graph: bool
) -> None:
    def rolled(a: Any, b: Any, x: Tensor) -> Sequence[Tensor]:
        with torch.set_grad_enabled(with_graph):
            return run(a, b, x)  # type: ignore[no-any-return]

    if run is decoded_twice and not with_graph:
        pytest.skip("what was made of a state without a graph cannot be told from a new one")
    trace = record(Several(rolled), noise(6, 2, 3, seed=24).float(), loss=unseen)
    assert paths(trace) == wanted

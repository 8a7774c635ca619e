"""Where the states of a layer come from: said exactly, by identity and by the graph."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

import lstmtui
from lstmtui.analysis.diagnosis import BAD, FINE, LOOK, diagnose_trace
from lstmtui.capture.record import record
from lstmtui.trace import Trace, load


def origins(trace: Trace) -> list[str]:
    """Of every layer and direction."""
    return [layer.state_origin(d) for layer in trace.layers for d in layer.directions]


class Translator(nn.Module):
    """An encoder whose last states, some of them, a decoder begins from."""

    def __init__(self, choose: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.GRU(3, 4, 2, bidirectional=True), nn.GRU(3, 4, 2)
        self.choose = choose

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        output: Tensor = self.decoder(target, self.choose(self.encoder(source)[1]))[0]
        return output


def test_of_a_decoder_it_is_the_layer_of_the_encoder_that_it_was_given() -> None:
    pair = torch.randn(6, 2, 3), torch.randn(5, 2, 3)
    trace = record(Translator(lambda h: h[:2]), pair, loss=lambda y: y.sum())
    assert origins(trace)[4:] == [
        "begins from what encoder l0 forward ended with",
        "begins from what encoder l0 backward ended with",
    ]
    mixed = record(Translator(lambda h: h[:2] + h[2:]), pair, loss=lambda y: y.sum())
    assert origins(mixed)[4:] == ["begins from what is computed of what encoder returned"] * 2


class Loop(nn.Module):
    """A cell in a loop, its states changed before some timesteps."""

    def __init__(self, before: Callable[[int, Tensor], Tensor]) -> None:
        super().__init__()
        self.cell, self.before = nn.GRUCell(2, 3), before

    def forward(self, x: Tensor) -> Tensor:
        h = x.new_zeros(x.shape[1], 3)
        for t, now in enumerate(x):
            h = self.cell(now, self.before(t, h))
        return h


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (lambda t, h: h, "begins from zeros"),
        (lambda t, h: h.detach(), "begins from zeros; detached before each of 12 calls"),
        (lambda t, h: h.detach() if t % 5 == 0 else h, "begins from zeros; detached before t=5, 10"),
        (lambda t, h: h * (t not in (3, 7)), "begins from zeros; reset before t=3, 7"),
        (lambda t, h: h * torch.tensor([[t != 3], [1.0]]), "begins from zeros; reset before t=3"),
        (lambda t, h: h + (t == 6), "begins from zeros; changed before t=6"),
    ],
)
def test_what_a_loop_does_to_the_states(before: Callable[[int, Tensor], Tensor], expected: str) -> None:
    trace = record(Loop(before), torch.randn(12, 2, 2), loss=lambda h: h.sum())
    assert origins(trace) == [expected]


class Beginning(nn.Module):
    """An LSTM that begins from what a function of the model gives."""

    def __init__(self, make: Callable[[Any, Tensor], Any]) -> None:
        super().__init__()
        self.rnn, self.h0, self.make = nn.GRU(2, 3), nn.Parameter(torch.randn(1, 1, 3)), make
        self.fc = nn.Linear(2, 3)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.rnn(x, self.make(self, x))[0]
        return output


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda m, x: None, "zeros"),
        (lambda m, x: x.new_zeros(1, 2, 3), "zeros"),
        (lambda m, x: 0.1 * torch.randn(1, 2, 3), "numbers drawn at random in this call"),
        (lambda m, x: torch.empty(1, 2, 3).normal_(), "numbers drawn at random in this call"),
        (lambda m, x: m.h0.expand(-1, 2, -1).contiguous(), "the parameter h0"),
        (lambda m, x: m.fc(x[:1]), "what is computed from fc.weight and fc.bias"),
        (lambda m, x: x.new_ones(1, 2, 3), "a state that is given to it"),
    ],
)
def test_what_it_begins_from(make: Callable[[Any, Tensor], Any], expected: str) -> None:
    trace = record(Beginning(make), torch.randn(5, 2, 2), loss=lambda y: y.sum())
    assert origins(trace) == [f"begins from {expected}"]


class Keeps(nn.Module):
    """An LSTM whose last states are those it begins from in the next call."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.hidden = nn.LSTM(2, 3), (torch.zeros(1, 1, 3), torch.zeros(1, 1, 3))

    def forward(self, x: Tensor) -> Tensor:
        output, self.hidden = self.rnn(x, self.hidden)
        return output  # type: ignore[no-any-return]


@pytest.fixture
def keeps() -> Keeps:
    """One that has been called."""
    model = Keeps()
    model(torch.randn(4, 1, 2))
    return model


def test_a_state_that_is_kept_is_carried_on_or_hangs_on_the_graph(keeps: Keeps) -> None:
    hanging = record(keeps, torch.randn(4, 1, 2))
    assert origins(hanging) == ["begins from hidden, which hangs on the graph of an earlier call"]
    keeps.hidden = (keeps.hidden[0].detach(), keeps.hidden[1].detach())
    assert origins(record(keeps, torch.randn(4, 1, 2))) == ["begins from what hidden was before this call"]


def test_a_graph_that_is_gone_is_an_error_that_names_the_layer(keeps: Keeps) -> None:
    keeps(torch.randn(4, 1, 2)).sum().backward()
    with pytest.raises(RuntimeError, match="rnn l0 begins from hidden, which hangs on the graph"):
        record(keeps, torch.randn(4, 1, 2))


def test_it_is_saved(tmp_path: Any) -> None:
    trace = record(Loop(lambda t, h: h * (t != 3)), torch.randn(5, 2, 2), loss=lambda h: h.sum())
    trace.save(tmp_path / "run")
    again = load(tmp_path / "run")
    assert isinstance(again, Trace)
    assert origins(again) == origins(trace) == ["begins from zeros; reset before t=3"]


def test_a_state_that_the_model_is_called_with_is_no_earlier_call_of_its_own() -> None:
    encoder, decoder = nn.GRU(2, 3), nn.GRU(2, 3)
    trace = record(decoder, torch.randn(4, 1, 2), encoder(torch.randn(4, 1, 2))[1])
    assert origins(trace) == ["begins from a state that is given to it"]


def windows(rnn: nn.LSTM, detach: bool) -> None:
    """Three windows of a sequence, each with a backward pass of its own."""
    state: Any = None
    for _ in range(3):
        output, state = rnn(torch.randn(12, 2, 2), state)
        output.sum().backward(retain_graph=not detach)
        state = tuple(s.detach() for s in state) if detach else state


def test_in_a_block_it_is_said_which_windows_were_not_detached() -> None:
    for detach in (True, False):
        with lstmtui.recording() as block:
            windows(nn.LSTM(2, 3), detach)
        change = (
            "detached before each of 3 calls"
            if detach
            else "on the graph of calls that backward had gone through before t=12, 24"
        )
        assert origins(block.trace) == [f"begins from zeros; {change}"]
        verdict = next(v for v in diagnose_trace(block.trace) if v.name == "state")
        assert (verdict.severity == BAD) != detach


def test_two_windows_of_one_backward_pass_hang_together_rightly() -> None:
    rnn, state = nn.GRU(2, 3), None
    with lstmtui.recording() as block:
        for _ in range(2):
            first, state = rnn(torch.randn(6, 1, 2), state)
            second, state = rnn(torch.randn(6, 1, 2), state)
            (first.sum() + second.sum()).backward()
            state = state.detach()
    assert origins(block.trace) == ["begins from zeros; detached before t=12"]


def test_in_a_block_a_state_comes_from_another_module_or_from_what_is_learned() -> None:
    encoder, decoder, h0 = nn.GRU(2, 3), nn.GRU(2, 3), nn.Parameter(torch.randn(1, 1, 3))
    with lstmtui.recording() as block:
        last = encoder(torch.randn(6, 2, 2), h0.expand(-1, 2, -1).contiguous())[1]
        decoder(torch.randn(4, 2, 2), torch.tanh(last))[0].sum().backward()
    assert origins(block.trace) == [
        "begins from what is computed from learned parameters",
        "begins from what is computed of what encoder returned",
    ]


@pytest.mark.parametrize("detach", [True, False])
def test_of_a_watched_model_a_state_is_carried_on_or_hangs_on_the_graph(tmp_path: Path, detach: bool) -> None:
    model = Keeps()

    def train() -> None:
        for _ in range(3):
            model(torch.randn(4, 1, 2)).sum().backward()
            if detach:
                model.hidden = (model.hidden[0].detach(), model.hidden[1].detach())
        raise RuntimeError

    with pytest.raises(RuntimeError), lstmtui.watch(model, keep=3, path=tmp_path / "w"):
        train()
    traces = load(tmp_path / "w")
    assert isinstance(traces, Mapping)
    carried = "what it ended with in the call before"
    hanging = "a state, which hangs on the graph of an earlier call"
    expected = ["zeros", carried, carried] if detach else ["zeros", hanging]
    assert [origins(trace) for trace in traces.values()] == [[f"begins from {text}"] for text in expected]


class Written(nn.Module):
    """A recurrence that is written out, its state changed before some timesteps."""

    def __init__(
        self, begin: Callable[[Any, Tensor], Tensor], before: Callable[[int, Tensor], Tensor]
    ) -> None:
        super().__init__()
        self.linear, self.h0 = nn.Linear(5, 3), nn.Parameter(torch.randn(3))
        self.begin, self.before = begin, before

    def forward(self, x: Tensor) -> Tensor:
        h = self.begin(self, x)
        outputs = []
        for t in range(len(x)):
            h = self.before(t, h)
            h = torch.tanh(self.linear(torch.cat([x[t], h], -1)))
            outputs.append(h)
        return torch.stack(outputs)

    def drawn(self, x: Tensor) -> Tensor:
        """As an init_hidden does it."""
        return nn.init.xavier_uniform_(x.new_empty(x.shape[1], 3))


def zeros(model: Any, x: Tensor) -> Tensor:
    return x.new_zeros(x.shape[1], 3)


@pytest.mark.parametrize(
    ("begin", "before", "expected"),
    [
        (zeros, lambda t, h: h, "zeros"),
        (lambda m, x: m.h0.expand(2, 3), lambda t, h: h, "the parameter h0"),
        (lambda m, x: x[0, :, :1] + m.h0, lambda t, h: h, "what h is before the first round"),
        (lambda m, x: 0.1 * torch.randn(2, 3), lambda t, h: h, "numbers drawn at random in this call"),
        (lambda m, x: m.drawn(x), lambda t, h: h, "numbers drawn at random in this call"),
        (zeros, lambda t, h: h.detach() if t in (4, 9) else h, "zeros; detached before t=4, 9"),
        (zeros, lambda t, h: h * (t not in (3, 7)), "zeros; reset before t=3, 7"),
        (zeros, lambda t, h: torch.zeros_like(h) if t == 3 else h, "zeros; reset before t=3"),
        (zeros, lambda t, h: h * torch.tensor([[t != 3], [1.0]]), "zeros; reset before t=3"),
        (zeros, lambda t, h: h + 1.0 if t == 6 else h, "zeros; changed before t=6"),
        (zeros, lambda t, h: torch.relu(h - 0.5), "zeros"),
    ],
)
def test_of_code_of_ones_own_it_is_said_in_the_same_words(
    begin: Callable[[Any, Tensor], Tensor], before: Callable[[int, Tensor], Tensor], expected: str
) -> None:
    trace = record(Written(begin, before), torch.randn(12, 2, 2), loss=lambda y: y.sum())
    assert set(origins(trace)) == {f"begins from {expected}"}


class Draws(nn.Module):
    """A stock layer whose states are drawn in each call."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(2, 3)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.rnn(x, torch.rand(1, x.shape[1], 3))[0]
        return y


MODES: list[int] = []


class TwoLoops(nn.Module):
    """The state of the second loop is drawn once the first has ended; notes how many modes there are."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        h = x.new_zeros(3, 2)
        for x_t in x:
            MODES.append(torch._C._len_torch_function_stack())
            h = torch.tanh(self.linear(torch.cat([x_t, h], -1)))
        MODES.append(torch._C._len_torch_function_stack())
        z = torch.rand(3, 2)
        for x_t in x:
            with torch.device("cpu"):
                MODES.append(torch._C._len_torch_function_stack())
                z = torch.tanh(self.linear(torch.cat([x_t, z], -1)))
                if x_t.isnan().any():
                    raise ArithmeticError
        MODES.append(torch._C._len_torch_function_stack())
        return h + z


def test_what_is_drawn_is_followed_outside_of_loops_and_in_the_first_pass_of_each() -> None:
    MODES.clear()
    model = TwoLoops()
    trace = record(model, torch.randn(4, 3, 2), loss=lambda y: y.sum())
    assert MODES == [1, 0, 0, 0, 1, 2, 1, 1, 1, 1]
    assert origins(trace) == ["begins from zeros", "begins from numbers drawn at random in this call"]
    MODES.clear()
    with pytest.raises(ArithmeticError):
        record(model, torch.full((4, 3, 2), math.nan))
    assert MODES == [1, 0, 0, 0, 1, 2]
    assert torch._C._len_torch_function_stack() == 0


@pytest.mark.parametrize("model", [Draws(), Written(lambda m, x: torch.randn(2, 3), lambda t, h: h)])
def test_what_a_watched_or_recorded_model_draws_is_drawn_anew_in_each_call(
    tmp_path: Path, model: nn.Module
) -> None:
    x = torch.randn(4, 2, 2)

    def train() -> None:
        for _ in range(2):
            model(x).sum().backward()
        raise RuntimeError

    with pytest.raises(RuntimeError), lstmtui.watch(model, keep=2, path=tmp_path / "w"):
        train()
    traces = load(tmp_path / "w")
    assert isinstance(traces, Mapping)
    with lstmtui.recording() as block:
        model(x).sum().backward()
    for trace in (*traces.values(), block.trace, record(model, x, loss=lambda y: y.sum())):
        assert set(origins(trace)) - {""} == {"begins from numbers drawn at random in this call"}
        assert {v.severity for v in diagnose_trace(trace) if v.name == "state"} == {LOOK}
    assert torch._C._len_torch_function_stack() == 0


class Spied(nn.Module):
    """A GRU that begins from zeros, and from some step on from what is drawn; notes who follows it."""

    def __init__(self, draws_from: int) -> None:
        super().__init__()
        self.rnn, self.draws_from = nn.GRU(2, 3), draws_from
        self.followers: list[tuple[int, int]] = []

    def forward(self, x: Tensor) -> Tensor:
        before = torch._C._len_torch_function_stack()
        draws = len(self.followers) >= self.draws_from
        y: Tensor = self.rnn(x, torch.rand(1, 2, 3) if draws else torch.zeros(1, 2, 3))[0]
        self.followers.append((before, torch._C._len_torch_function_stack()))
        return y


@pytest.mark.parametrize(
    ("draws_from", "followers", "expected"),
    [
        (9, [(1, 0), (0, 0), (0, 0), (0, 0)], ["zeros"] * 4),
        (0, [(1, 0)] * 4, ["numbers drawn at random in this call"] * 4),
        (
            1,
            [(1, 0), (0, 0), (1, 0), (1, 0)],
            ["zeros", "a state that is given to it", *["numbers drawn at random in this call"] * 2],
        ),
    ],
)
def test_a_watched_step_is_followed_only_until_its_layers_have_begun_and_where_that_may_have_been_drawn(
    tmp_path: Path, draws_from: int, followers: list[tuple[int, int]], expected: list[str]
) -> None:
    model = Spied(draws_from)

    def train() -> None:
        for _ in followers:
            model(torch.randn(4, 2, 2)).sum().backward()
        raise RuntimeError

    with pytest.raises(RuntimeError), lstmtui.watch(model, path=tmp_path / "w"):
        train()
    traces = load(tmp_path / "w")
    assert isinstance(traces, Mapping)
    assert model.followers == followers
    assert [origins(trace) for trace in traces.values()] == [[f"begins from {text}"] for text in expected]


@pytest.mark.parametrize("detaches", [True, False])
def test_code_that_detaches_its_state_before_every_timestep_is_worth_a_look(detaches: bool) -> None:
    model = Written(zeros, lambda t, h: h.detach() if detaches else h)
    trace = record(model, torch.randn(12, 2, 2), loss=lambda y: y.sum())
    severities = {v.severity for v in diagnose_trace(trace) if v.name == "state"}
    assert severities == {LOOK if detaches else FINE}


def test_in_a_block_a_state_is_drawn_at_random_and_no_mode_stays_behind() -> None:
    rnn, before = nn.LSTM(2, 3), torch._C._len_torch_function_stack()
    with lstmtui.recording() as block:
        state = tuple(0.1 * torch.randn(1, 2, 3) for _ in range(2))
        rnn(torch.randn(6, 2, 2), state)[0].sum().backward()
    assert origins(block.trace) == ["begins from numbers drawn at random in this call"]
    assert torch._C._len_torch_function_stack() == before


def test_a_mode_of_the_users_that_outlives_a_block_goes_on() -> None:
    class Counts(TorchFunctionMode):
        calls = 0

        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            self.calls += 1
            return func(*args, **(kwargs or {}))

    counts, rnn = Counts(), nn.GRU(2, 3)
    block = lstmtui.recording()
    block.__enter__()
    with counts:
        rnn(torch.randn(4, 1, 2))
        block.__exit__(None, None, None)
        calls = counts.calls
        torch.zeros(2).add(1)
        assert counts.calls > calls
    assert torch._C._len_torch_function_stack() == 0

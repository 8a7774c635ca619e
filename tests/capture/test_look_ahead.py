"""Whether what the loss reads at a timestep depends on later input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from torch.utils.checkpoint import checkpoint

from lstmtui.analysis.diagnosis import BAD, FINE, LOOK, NOT_MEASURED, diagnose_trace
from lstmtui.capture.record import record
from lstmtui.session.execute import execute
from lstmtui.session.parse import parse_line
from lstmtui.session.session import Session
from lstmtui.trace import Trace
from lstmtui.trace.look_ahead import LookAhead

NUMBERS = torch.randn(9, 3, 4, generator=torch.Generator().manual_seed(0))
TOKENS = torch.randint(0, 11, (9, 3), generator=torch.Generator().manual_seed(0))


class Model(nn.Module):
    """The parts of many models, put together by a function."""

    def __init__(
        self, forward: Callable[[Any, Tensor], Tensor], *, inputs: int = 4, bidirectional: bool = False
    ) -> None:
        super().__init__()
        self.of_x = forward
        self.rnn, self.head = (
            nn.LSTM(inputs, 5, bidirectional=bidirectional),
            nn.Linear(10 if bidirectional else 5, 3),
        )
        self.embedding, self.linear, self.norm = nn.Embedding(11, 4), nn.Linear(4, 4), nn.LayerNorm(4)
        self.conv, self.causal = nn.Conv1d(4, 4, 3, padding=1), nn.Conv1d(4, 4, 3, padding=2)
        self.batch_norm, self.attention = nn.BatchNorm1d(4), nn.MultiheadAttention(5, 1)
        self.cell, self.second = nn.GRUCell(4, 5), nn.GRU(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.of_x(self, x)

    def read(self, x: Tensor) -> Tensor:
        """The layer and the head."""
        y: Tensor = self.head(self.rnn(x)[0])
        return y

    def along_time(self, layer: nn.Module, x: Tensor) -> Tensor:
        """A layer that takes (B, channels, T)."""
        made: Tensor = layer(x.permute(1, 2, 0)).permute(2, 0, 1)
        return made[: len(x)]

    def attended(self, x: Tensor, *, masked: bool) -> Tensor:
        """Attention over all that the layer has returned."""
        h = self.rnn(x)[0]
        mask = torch.triu(torch.ones(len(x), len(x), dtype=torch.bool), 1) if masked else None
        y: Tensor = self.head(self.attention(h, h, h, attn_mask=mask)[0])
        return y

    def in_a_loop(self, x: Tensor, ahead: int = 0) -> Tensor:
        """A cell that reads x so many timesteps later."""
        h, outputs = torch.zeros(x.shape[1], 5), []
        for t in range(len(x)):
            h = self.cell(x[min(t + ahead, len(x) - 1)], h)
            outputs.append(self.head(h))
        return torch.stack(outputs)

    def packed(self, x: Tensor) -> Tensor:
        """As a packed batch."""
        packed = self.rnn(pack_padded_sequence(x, torch.tensor([9, 9, 9])))[0]
        y: Tensor = self.head(pad_packed_sequence(packed)[0])
        return y


def seen(forward: Callable[[Any, Tensor], Tensor], x: Tensor = NUMBERS, **sizes: Any) -> LookAhead:
    """What is said of a model of which every output is read."""
    return recorded(forward, x, **sizes).header.look_ahead  # type: ignore[return-value]


def recorded(forward: Callable[[Any, Tensor], Tensor], x: Tensor = NUMBERS, **sizes: Any) -> Trace:
    """The trace of a model of which every output is read; its y is that of the model alone."""
    model = Model(forward, **sizes)
    with torch.random.fork_rng():
        y = model(x)
    trace = record(model, x, loss=lambda y: (y * torch.linspace(1, 2, y.numel()).reshape(y.shape)).sum())
    if "y" in trace.arrays:
        torch.testing.assert_close(torch.as_tensor(trace.values("y")), y.detach(), rtol=1e-5, atol=1e-6)
    return trace


@pytest.mark.parametrize(
    "forward",
    [
        lambda m, x: m.read(x),
        lambda m, x: m.read(m.norm(m.linear(x))),
        lambda m, x: m.read(m.linear(x.view(27, 4)).view(9, 3, 4)),
        lambda m, x: m.read(torch.cat([torch.zeros_like(x[:1]), x[:-1]])),
        lambda m, x: m.read(m.along_time(m.causal, x)),
        lambda m, x: m.read(x.cumsum(0)),
        lambda m, x: m.read(x * (x.abs().sum(-1, keepdim=True) > 0).float()),
        lambda m, x: m.read(functional.dropout(x, 0.3, True)),
        lambda m, x: m.read(x) + x[..., :3],
        lambda m, x: m.attended(x, masked=True),
        lambda m, x: m.second(m.rnn(x)[0][..., :4])[0],
        lambda m, x: m.in_a_loop(x),
        lambda m, x: m.packed(x),
    ],
)
def test_what_has_seen_nothing_later_does_not_look_ahead(forward: Callable[[Any, Tensor], Tensor]) -> None:
    torch.manual_seed(1)
    ahead = seen(forward)
    assert ahead.kind == "none", ahead


@pytest.mark.parametrize(
    ("forward", "until"),
    [
        (lambda m, x: m.read(x.roll(-1, 0)), 4),
        (lambda m, x: m.read(m.norm(functional.pad(x[2:], (0, 0, 0, 0, 0, 2)))), 5),
        (lambda m, x: m.read(m.linear(x).flip(0)), 8),
        (lambda m, x: m.read(m.linear(x.view(27, -1).view(9, 3, 4).roll(-1, 0))), 4),
        (lambda m, x: m.read(x - x.mean(0)), 8),
        (lambda m, x: m.read(x / x.max(0)[0]), 8),
        (lambda m, x: m.read(x) + x.roll(-1, 0)[..., :3], 4),
        (lambda m, x: m.attended(x, masked=False), 8),
        (lambda m, x: m.second(m.rnn(x)[0][..., :4].flip(0))[0], 8),
        (lambda m, x: m.in_a_loop(x, 1), 4),
    ],
)
def test_what_looks_ahead_is_said_with_how_far(forward: Callable[[Any, Tensor], Tensor], until: int) -> None:
    torch.manual_seed(1)
    assert seen(forward) == LookAhead(
        "ahead", f"what the loss reads at t=3 depends on x up to t={until}", 3, until
    )


def other_at(x: Tensor, t: int, until: int) -> Tensor:
    """x with what another timestep has at one of its timesteps."""
    times = torch.arange(len(x))
    times[t] = until
    return x[times]


def a_cell_over_time(m: Any, x: Tensor, ahead_at: int = -1) -> Tensor:
    """A loop that reads x one timestep later once; what it returns is stacked."""
    h, outputs = torch.zeros(x.shape[1], 5), []
    for t in range(len(x)):
        h = m.cell(x[t + (t == ahead_at)], h)
        outputs.append(h)
    return torch.stack(outputs)


@pytest.mark.parametrize("t", [0, 17, 27])
@pytest.mark.parametrize(
    "forward",
    [
        lambda m, x, t: m.read(other_at(x, t, t + 1)),
        lambda m, x, t: m.read(x) + other_at(x, t, t + 1)[..., :3],
        lambda m, x, t: m.second(other_at(m.rnn(x)[0], t, t + 1)[..., :4])[0],
        lambda m, x, t: m.head(a_cell_over_time(m, x, t)),
        lambda m, x, t: a_cell_over_time(m, x, t),
        lambda m, x, t: m.read(torch.cat([other_at(x, t, t + 1)[:1], other_at(x, t, t + 2)[:-1]])),
    ],
)
def test_a_single_timestep_that_looks_ahead_is_seen_wherever_it_is(
    forward: Callable[[Any, Tensor, int], Tensor], t: int
) -> None:
    torch.manual_seed(1)
    x = torch.randn(30, 2, 4)
    ahead = seen(lambda m, x: forward(m, x, t), x)
    assert (ahead.kind, ahead.until - ahead.t) == ("ahead", 1), ahead
    assert ahead.t in (t, t + 1)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_of_two_directions_it_is_seen_too(bidirectional: bool) -> None:
    ahead = seen(lambda m, x: m.read(other_at(x, 20, 21)), torch.randn(30, 2, 4), bidirectional=bidirectional)
    assert (ahead.kind, ahead.t, ahead.until) == ("ahead", 20, 21)


@pytest.mark.parametrize(
    ("forward", "is_settled"),
    [
        (lambda m, x: m.read(m.norm(m.linear(x))), True),
        (lambda m, x: m.second(m.rnn(x)[0][..., :4])[0], True),
        (lambda m, x: m.in_a_loop(x), True),
        (lambda m, x: m.head(a_cell_over_time(m, x)), True),
        (lambda m, x: m.read(m.along_time(m.causal, x)), False),
        (lambda m, x: m.read(x.cumsum(0)), False),
    ],
)
def test_it_is_said_whether_that_is_settled_for_all_timesteps(
    forward: Callable[[Any, Tensor], Tensor], is_settled: bool
) -> None:
    ahead = seen(forward, torch.randn(30, 2, 4))
    where = "at any timestep" if is_settled else "up to t=0, "
    text = f"no gradient goes from what is read {where}"
    assert (ahead.kind, ahead.text.startswith(text)) == ("none", True), ahead


@pytest.mark.parametrize(
    ("forward", "inputs", "kind"),
    [
        (lambda m, x: m.read(m.embedding(x)), 4, "none"),
        (lambda m, x: m.read(m.embedding(x).roll(-1, 0)), 4, "ahead"),
        (lambda m, x: m.read(m.embedding(x.roll(-1, 0))), 4, "ahead"),
        (lambda m, x: m.read(functional.one_hot(x, 11).float()), 11, "none"),
        (lambda m, x: m.read(functional.one_hot(x.roll(-1, 0), 11).float()), 11, "ahead"),
    ],
)
def test_of_tokens_it_is_the_gradient_by_what_they_become(
    forward: Callable[[Any, Tensor], Tensor], inputs: int, kind: str
) -> None:
    torch.manual_seed(1)
    assert seen(forward, TOKENS, inputs=inputs).kind == kind


@pytest.mark.parametrize(
    ("forward", "bidirectional", "says"),
    [
        (lambda m, x: m.read(x), True, "rnn reads backward too"),
        (lambda m, x: m.read(m.along_time(m.conv, x)), False, "conv is padded on both sides"),
        (lambda m, x: m.read(m.along_time(m.batch_norm, x)), False, "batch_norm takes its mean and variance"),
        (
            lambda m, x: m.second(x, m.rnn(x)[1][0])[0],
            False,
            "second begins from a state that is made of",
        ),
    ],
)
def test_what_is_meant_to_look_ahead_is_named(
    forward: Callable[[Any, Tensor], Tensor], bidirectional: bool, says: str
) -> None:
    trace = recorded(forward, bidirectional=bidirectional)
    ahead = trace.header.look_ahead
    assert ahead is not None
    assert (ahead.kind, ahead.text.startswith(says)) == ("meant", True), ahead
    assert not any(v.severity == BAD for v in diagnose_trace(trace) if v.name == "reads")


def test_of_two_directions_a_model_that_looks_ahead_besides_is_named() -> None:
    assert seen(lambda m, x: m.read(x.roll(-1, 0)), bidirectional=True).kind == "ahead"


@pytest.mark.parametrize(
    ("forward", "says"),
    [
        (lambda m, x: m.read(x)[-1], "nothing that surely has a value for each timestep"),
        (lambda m, x: m.read(torch.from_numpy(x.numpy()[::-1].copy())), "takes x out of torch"),
        (lambda m, x: m.read(x.clone().mul_(2)), "in place"),
    ],
)
def test_what_the_graph_does_not_show_is_not_measured(
    forward: Callable[[Any, Tensor], Tensor], says: str
) -> None:
    ahead = seen(forward)
    assert (ahead.kind, says in ahead.text) == ("unknown", True), ahead


def test_hooks_of_the_model_are_called_once_as_without_it() -> None:
    calls = []
    model = Model(lambda m, x: m.read(x))
    model(NUMBERS)
    model.head.register_full_backward_hook(lambda *_: calls.append(1))
    trace = record(model, NUMBERS, loss=lambda y: y.sum())
    assert len(calls) == 1
    ahead = trace.header.look_ahead
    assert ahead is not None
    assert ahead.kind == "unknown"


class Predictor(nn.Module):
    """A language model over tokens (B, T)."""

    def __init__(self, bidirectional: bool = False) -> None:
        super().__init__()
        self.embedding, self.rnn = (
            nn.Embedding(11, 4),
            nn.GRU(4, 5, batch_first=True, bidirectional=bidirectional),
        )
        self.head = nn.Linear(10 if bidirectional else 5, 11)

    def forward(self, tokens: Tensor) -> Tensor:
        y: Tensor = self.head(self.rnn(self.embedding(tokens))[0])
        return y


def loss_at(y: Tensor, tokens: Tensor, ahead: int) -> Tensor:
    """Of y at t, against the token so many timesteps later."""
    cut, target = y[:, : y.shape[1] - ahead], tokens[:, ahead:]
    return functional.cross_entropy(cut.flatten(0, 1), target.flatten())


@pytest.mark.parametrize(
    ("bidirectional", "ahead", "severity", "says"),
    [
        (False, 1, FINE, "no gradient goes"),
        (False, 0, LOOK, "the loss compares y at t with x of t itself"),
        (True, 1, BAD, "the loss compares y at t with x of t + 1, which it has seen: rnn reads backward too"),
        (True, 0, FINE, "rnn reads backward too"),
    ],
)
def test_a_target_that_has_been_read_already(
    bidirectional: bool, ahead: int, severity: str, says: str
) -> None:
    tokens = TOKENS.T.contiguous()
    trace = record(Predictor(bidirectional), tokens, loss=lambda y: loss_at(y, tokens, ahead))
    (verdict,) = [v for v in diagnose_trace(trace) if v.name == "reads" and v.layer is None]
    assert (verdict.severity, verdict.text.startswith(says)) == (severity, True), verdict


@pytest.mark.parametrize("steps", range(1, 6))
def test_short_sequences_have_a_target_of_their_own_size(steps: int) -> None:
    x = torch.randn(steps, 2, 5)
    trace = record(nn.LSTM(5, 5), x, loss=lambda out: functional.mse_loss(out[0], torch.zeros(steps, 2, 5)))
    assert trace.steps == steps


def test_print_says_it_and_the_verdict_goes_there() -> None:
    session = Session(recorded(lambda m, x: m.read(x.roll(-1, 0))))
    assert "depends on x up to t=4" in execute(session, parse_line("print reads")).text
    (verdict,) = [v for v in diagnose_trace(session.trace) if v.severity == BAD]
    assert (verdict.name, verdict.commands) == ("reads", ("goto 3",))


def test_a_run_that_was_not_looked_at_is_not_measured(tmp_path: Any) -> None:
    trace = recorded(lambda m, x: m.read(x))
    trace.save(tmp_path / "t")
    header = trace.header
    assert header.look_ahead is not None
    older = Trace(type(header)(**{**vars(header), "look_ahead": None}), trace.arrays)
    (verdict,) = [v for v in diagnose_trace(older) if v.name == "reads" and v.layer is None]
    assert verdict.severity == NOT_MEASURED


@pytest.mark.parametrize("is_reentrant", [False, True])
def test_where_torch_does_not_tell_of_hooks_of_saved_tensors_a_checkpoint_alone_leaves_it_open(
    monkeypatch: pytest.MonkeyPatch, is_reentrant: bool
) -> None:
    monkeypatch.delattr(torch._C._autograd, "_top_saved_tensors_default_hooks", raising=False)
    assert seen(lambda m, x: m.read(x)).kind == "none"
    ahead = seen(lambda m, x: m.read(checkpoint(m.linear, x * m.norm.weight, use_reentrant=is_reentrant)))
    assert (ahead.kind, "checkpoint" in ahead.text) == ("unknown", True)

"""Real architectures as users write them: recorded, equal to the module, gradients those of autograd."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
import torch
from oracles.recurrents import gap, noise
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from lstmtui.capture.record import record
from lstmtui.trace import Trace

EXACT, NEAR = 1e-12, 1e-5


class LanguageModel(nn.Module):
    """A word language model: dropout, two LSTM layers, and a decoder that shares the embedding's weight."""

    def __init__(self, words: int = 11, size: int = 6) -> None:
        super().__init__()
        self.drop = nn.Dropout(0.3)
        self.encoder = nn.Embedding(words, size)
        self.rnn = nn.LSTM(size, size, num_layers=2, dropout=0.3)
        self.decoder = nn.Linear(size, words)
        self.decoder.weight = self.encoder.weight

    def forward(self, tokens: Tensor, hidden: Any) -> Any:
        output, hidden = self.rnn(self.drop(self.encoder(tokens)), hidden)
        return functional.log_softmax(self.decoder(self.drop(output)), -1), hidden


class Tagger(nn.Module):
    """A BiLSTM tagger over packed sentences, its sentences in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(9, 5, padding_idx=0)
        self.lstm = nn.LSTM(5, 4, num_layers=2, bidirectional=True, batch_first=True, dropout=0.4)
        self.tags = nn.Linear(8, 3)

    def forward(self, words: Tensor, lengths: Tensor) -> dict[str, Tensor]:
        packed = pack_padded_sequence(
            self.embed(words), lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        output, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        return {"emissions": self.tags(output)}


@dataclass
class Translation:
    """What the translator returns."""

    logits: Tensor
    attention: Tensor


class Translator(nn.Module):
    """Seq2seq with attention: a bidirectional encoder, a decoder cell with input feeding, teacher forcing."""

    def __init__(self) -> None:
        super().__init__()
        self.source, self.target = nn.Embedding(8, 4), nn.Embedding(7, 4)
        self.encoder = nn.LSTM(4, 3, bidirectional=True)
        self.bridge = nn.Linear(6, 5)
        self.decoder = nn.LSTMCell(4 + 6, 5)
        self.query = nn.Linear(5, 6, bias=False)
        self.out = nn.Linear(11, 7)

    def forward(self, source: Tensor, target: Tensor) -> Translation:
        memory, (h, c) = self.encoder(self.source(source))
        state = torch.tanh(self.bridge(torch.cat([h[0], h[1]], -1))), self.bridge(torch.cat([c[0], c[1]], -1))
        context = memory.mean(0)
        logits, weights = [], []
        for token in target:
            state = self.decoder(torch.cat([self.target(token), context], -1), state)
            attention = torch.einsum("tbm,bm->tb", memory, self.query(state[0])).softmax(0)
            context = torch.einsum("tb,tbm->bm", attention, memory)
            logits.append(self.out(torch.cat([state[0], context], -1)))
            weights.append(attention)
        return Translation(torch.stack(logits), torch.stack(weights))


class StepwiseTranslator(nn.Module):
    """The same idea with a decoder nn.GRU that is called one token at a time, feeding on itself."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.GRU(4, 5, batch_first=True)
        self.decoder = nn.GRU(4, 5, batch_first=True)
        self.out = nn.Linear(5, 4)

    def forward(self, x: Tensor) -> Tensor:
        _, hidden = self.encoder(x)
        token, outputs = x[:, -1:], []
        for _ in range(4):
            output, hidden = self.decoder(token, hidden)
            token = self.out(output)
            outputs.append(token)
        return torch.cat(outputs, 1)


class TextReader(nn.Module):
    """A CRNN: convolutions over an image, its columns read by a BiLSTM, for the CTC loss."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(1, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2)
        )
        self.rnn = nn.LSTM(3 * 4, 5, bidirectional=True, batch_first=True)
        self.classes = nn.Linear(10, 6)

    def forward(self, image: Tensor) -> Tensor:
        columns = self.conv(image).permute(0, 3, 1, 2).flatten(2)
        return self.classes(self.rnn(columns)[0]).log_softmax(-1).permute(1, 0, 2)


class Played(NamedTuple):
    """What the agent returns."""

    values: Tensor
    state: tuple[Tensor, Tensor]


class Agent(nn.Module):
    """DRQN-like: an LSTMCell over an episode buffer, its state zeroed where an episode is done."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Linear(6, 5), nn.ReLU())
        self.core = nn.LSTMCell(5, 4)
        self.q = nn.Linear(4, 3)
        self.history: list[Tensor] = []

    def forward(self, observations: Tensor, done: Tensor) -> Played:
        steps, batch = done.shape
        h = c = observations.new_zeros(batch, 4)
        values = []
        for t in range(steps):
            alive = (~done[t]).to(h.dtype).unsqueeze(1)
            h, c = self.core(self.features(observations[t]), (h * alive, c * alive))
            self.history.append(h)
            values.append(self.q(h))
        return Played(torch.stack(values), (h, c))


DONE = torch.tensor([[0, 0], [0, 1], [0, 0], [1, 0], [0, 0]]).bool()
LENGTHS = torch.tensor([2, 5, 4])


def next_word(result: Any) -> Tensor:
    wanted = torch.arange(12).reshape(6, 2) % 11
    return functional.nll_loss(result[0].flatten(0, 1), wanted.flatten())


def tagging(result: Any) -> Tensor:
    wanted = torch.arange(15).reshape(3, 5) % 3
    wanted[torch.arange(5) >= LENGTHS[:, None]] = -100
    return functional.cross_entropy(result["emissions"].flatten(0, 1), wanted.flatten())


def translation(result: Any) -> Tensor:
    wanted = torch.arange(8) % 7
    return functional.cross_entropy(result.logits.flatten(0, 1), wanted) + result.attention[0].max()


def ctc(result: Any) -> Tensor:
    return functional.ctc_loss(result, torch.tensor([[1, 2, 2], [3, 4, 0]]), (7, 7), (3, 2))


CASES: list[tuple[type[nn.Module], Callable[[torch.dtype], Any], Callable[[Any], Tensor]]] = [
    (
        LanguageModel,
        lambda dtype: (torch.arange(12).reshape(6, 2) % 7, (noise(2, 2, 6, seed=1, dtype=dtype),) * 2),
        next_word,
    ),
    (Tagger, lambda _: {"words": torch.arange(1, 16).reshape(3, 5) % 9, "lengths": LENGTHS}, tagging),
    (
        Translator,
        lambda _: (torch.arange(10).reshape(5, 2) % 8, torch.arange(8).reshape(4, 2) % 7),
        translation,
    ),
    (StepwiseTranslator, lambda dtype: noise(2, 3, 4, seed=2, dtype=dtype), lambda y: (y**2).sum()),
    (TextReader, lambda dtype: noise(2, 1, 8, 14, seed=3, dtype=dtype), ctc),
    (
        Agent,
        lambda dtype: (noise(5, 2, 6, seed=4, dtype=dtype), DONE),
        lambda played: ((played.values - 1) ** 2).mean(),
    ),
]
NAMES = [case[0].__name__ for case in CASES]


def built(kind: type[nn.Module], dtype: torch.dtype) -> nn.Module:
    torch.manual_seed(5)
    return kind().to(dtype)


def called(model: nn.Module, x: Any) -> Any:
    if isinstance(x, dict):
        return model(**x)
    return model(*x) if isinstance(x, tuple) else model(x)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_the_loss_and_every_gradient_are_those_of_plain_autograd(
    case: Any, training: bool, dtype: torch.dtype
) -> None:
    kind, arguments, loss = case
    within = EXACT if dtype == torch.float64 else NEAR
    model, x = built(kind, dtype).train(training), arguments(dtype)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    torch.manual_seed(6)
    trace = record(model, x, loss=loss)
    after = torch.rand(3)
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    torch.manual_seed(6)
    expected = loss(called(model, x))
    # What dropout draws, the recording draws: from the same generator, in the same order.
    assert torch.equal(torch.rand(3), after)
    expected.backward()
    assert trace.loss == pytest.approx(expected.item(), rel=within)
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None
        assert gap(trace.parameter_gradients[name], parameter.grad) <= within, name
    drops = training and kind in (LanguageModel, Tagger)
    if not drops:
        assert trace.parity is not None
        assert trace.parity <= within


def recorded(position: int) -> tuple[Trace, nn.Module, Any]:
    kind, arguments, loss = CASES[position]
    model, x = built(kind, torch.float64).eval(), arguments(torch.float64)
    return record(model, x, loss=loss), model, x


def test_the_masks_between_layers_are_those_really_used() -> None:
    kind, arguments, loss = CASES[1]
    model = built(kind, torch.float64).train()
    torch.manual_seed(7)
    trace = record(model, arguments(torch.float64), loss=loss)
    below = torch.cat([torch.as_tensor(trace.values("h", 0, d)) for d in ("forward", "backward")], -1)
    dropped = torch.as_tensor(trace.values("x", 1)) == 0
    inside = torch.arange(5)[:, None] < LENGTHS
    assert 0.1 < dropped[inside].double().mean() < 0.8
    kept = ~dropped
    assert gap(torch.as_tensor(trace.values("x", 1))[kept], below[kept] / 0.6) <= EXACT


def test_the_outputs_are_turned_to_time_first_whatever_holds_them() -> None:
    cases: dict[int, Callable[[Any], Tensor]] = {
        1: lambda result: result["emissions"].transpose(0, 1),
        4: lambda result: result,
        5: lambda result: result.values,
    }
    for position, of in cases.items():
        trace, model, x = recorded(position)
        assert gap(trace.values("y"), of(called(model, x))) <= EXACT
        assert trace.values("dy").any()


def test_layers_are_named_by_their_paths_and_know_how_long_they_are() -> None:
    trace, _, _ = recorded(2)
    assert [(layer.path, layer.calls) for layer in trace.layers] == [("encoder", 1), ("decoder", 4)]
    assert (trace.steps, trace.batch) == (5, 2)
    assert trace.arrays["1/lengths"].tolist() == [4, 4]
    trace, _, _ = recorded(3)
    assert [(layer.path, layer.calls) for layer in trace.layers] == [("encoder", 1), ("decoder", 4)]
    assert gap(trace.initial("dh", 1), trace.values("dh", 0)[2]) <= EXACT
    trace, _, _ = recorded(1)
    assert trace.lengths.tolist() == LENGTHS.tolist()


def test_derivatives_within_the_agents_loop_are_those_autograd_retains() -> None:
    """On the CPU PyTorch's cell is made of plain operations, so what c retains is its total derivative."""
    trace, model, x = recorded(5)
    kept: list[tuple[Tensor, Tensor]] = []
    model.get_submodule("core").register_forward_hook(lambda module, given, result: kept.append(result))
    result = called(model, x)
    for h, c in kept:
        h.retain_grad()
        c.retain_grad()
    CASES[5][2](result).backward()
    for name, position in (("dh", 0), ("dc", 1)):
        states = [step[position] for step in kept]
        expected = [torch.zeros_like(s) if s.grad is None else s.grad for s in states]
        assert gap(trace.values(name), torch.stack(expected)) <= EXACT, name
    assert not trace.arrays["0/forward/before/h"][1, 1].any()

"""Bugs of state as they were published, re-made as small models: each with its repaired twin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

UNITS, SIZE, STEPS, BATCH = 5, 3, 10, 3


class PackedDocuments(nn.Module):
    """Documents one after another in a row; the state is to begin anew where one starts."""

    def __init__(self, shift: int | None) -> None:
        super().__init__()
        self.cell, self.head, self.shift = nn.LSTMCell(SIZE, UNITS), nn.Linear(UNITS, 2), shift

    def forward(self, x: Tensor, starts: Tensor) -> Tensor:
        h = c = x.new_zeros(x.shape[1], UNITS)
        outputs = []
        for t in range(len(x)):
            if self.shift is not None and 0 <= t - self.shift < len(x):
                keep = (~starts[t - self.shift]).to(x.dtype)[:, None]
                h, c = keep * h, keep * c
            h, c = self.cell(x[t], (h, c))
            outputs.append(self.head(h))
        return torch.stack(outputs)


class VoiceActivity(nn.Module):
    """A streaming detector that keeps its state; the state that comes out is to be kept for the next call."""

    def __init__(self, bug: bool) -> None:
        super().__init__()
        self.gru, self.head, self.bug = nn.GRU(SIZE, UNITS), nn.Linear(UNITS, 1), bug
        self.state: Tensor | None = None

    def reset(self) -> None:
        self.state = None

    def forward(self, x: Tensor) -> Tensor:
        before = x.new_zeros(1, x.shape[1], UNITS) if self.state is None else self.state
        output, after = self.gru(x, before)
        self.state = before if self.bug else after
        return torch.sigmoid(self.head(output))


class Continuation(nn.Module):
    """A prompt is read in one call, then two more tokens are made; the first from the prompt's output."""

    def __init__(self, bug: bool) -> None:
        super().__init__()
        self.table, self.gru, self.head = nn.Embedding(11, SIZE), nn.GRU(SIZE, UNITS), nn.Linear(UNITS, 11)
        self.bug = bug

    def forward(self, prompt: Tensor) -> Tensor:
        output, state = self.gru(self.table(prompt))
        logits = [self.head(output[-1])]
        token = prompt[-1] if self.bug else logits[0].argmax(-1)
        for _ in range(2):
            output, state = self.gru(self.table(token)[None], state)
            logits.append(self.head(output[-1]))
            token = logits[-1].argmax(-1)
        return torch.stack(logits)


class Padded(nn.Module):
    """Sequences of several lengths; the state that is returned is to be that at the end of each."""

    def __init__(self, bug: bool) -> None:
        super().__init__()
        self.gru, self.bug = nn.GRU(SIZE, UNITS), bug

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        output, state = self.gru(x)
        if not self.bug:
            state = output[lengths - 1, torch.arange(len(lengths))][None]
        return output, state


class Convolution(nn.Module):
    """A causal convolution before the cell, whose last inputs are part of the state."""

    def __init__(self, bug: bool) -> None:
        super().__init__()
        self.filter, self.gru, self.bug = nn.Conv1d(SIZE, SIZE, 3), nn.GRU(SIZE, UNITS), bug

    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        before, h = (x.new_zeros(2, x.shape[1], SIZE), None) if state is None else state
        if self.bug:
            before = torch.zeros_like(before)
        whole = torch.cat([before, x])
        output, h = self.gru(self.filter(whole.permute(1, 2, 0)).permute(2, 0, 1), h)
        return output, (whole[-2:], h)


class Views(nn.Module):
    """(B, T, input) brought to (T, B, input)."""

    def __init__(self, bug: bool) -> None:
        super().__init__()
        self.lstm, self.bug = nn.LSTM(SIZE, UNITS), bug

    def forward(self, x: Tensor) -> Tensor:
        batch, steps, _ = x.shape
        output, _ = self.lstm(x.view(steps, batch, -1) if self.bug else x.transpose(0, 1))
        return output.transpose(0, 1)


class Translator(nn.Module):
    """A decoder of 2 layers begins from the 2 layers of a bidirectional encoder."""

    def __init__(self, bug: bool) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.GRU(SIZE, UNITS, 2, bidirectional=True), nn.GRU(SIZE, UNITS, 2)
        self.bug = bug

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        _, state = self.encoder(source)
        output: Tensor = self.decoder(target, state[:2] if self.bug else state[0::2].contiguous())[0]
        return output


class Policy(nn.Module):
    """A recurrent policy whose states are taken out of the graph before every timestep."""

    def __init__(self, bug: bool) -> None:
        super().__init__()
        self.cell, self.bug = nn.LSTMCell(SIZE, UNITS), bug

    def forward(self, x: Tensor) -> Tensor:
        h = c = x.new_zeros(x.shape[1], UNITS)
        outputs = []
        for part in x:
            if self.bug:
                h, c = h.detach(), c.detach()
            h, c = self.cell(part, (h, c))
            outputs.append(h)
        return torch.stack(outputs)


class BothEnds(nn.Module):
    """The last states of both directions of each sequence, side by side."""

    def __init__(self, bug: bool) -> None:
        super().__init__()
        self.gru, self.head, self.bug = (
            nn.GRU(SIZE, UNITS, 2, bidirectional=True),
            nn.Linear(4 * UNITS, 2),
            bug,
        )

    def forward(self, x: Tensor) -> Tensor:
        _, state = self.gru(x)
        batch = x.shape[1]
        joined = state.view(batch, -1) if self.bug else state.transpose(0, 1).reshape(batch, -1)
        result: Tensor = self.head(joined)
        return result


class DrawnState(nn.Module):
    """Where the first state comes from."""

    def __init__(self, bug: bool) -> None:
        super().__init__()
        self.lstm, self.bug = nn.LSTM(SIZE, UNITS), bug

    def forward(self, x: Tensor) -> Tensor:
        make = torch.randn if self.bug else torch.zeros
        state = tuple(make(1, x.shape[1], UNITS, dtype=x.dtype) for _ in range(2))
        output: Tensor = self.lstm(x, state)[0]
        return output


class NextToken(nn.Module):
    """The input of a timestep is to be the token before it, and not the one that is to be predicted."""

    def __init__(self, bug: bool) -> None:
        super().__init__()
        self.table, self.gru, self.head, self.bug = (
            nn.Embedding(11, SIZE),
            nn.GRU(SIZE, UNITS),
            nn.Linear(UNITS, 11),
            bug,
        )

    def forward(self, tokens: Tensor) -> Tensor:
        shifted = torch.roll(tokens, -1 if self.bug else 0, 0)
        result: Tensor = self.head(self.gru(self.table(shifted))[0])
        return result


@dataclass(frozen=True)
class Bug:
    """A model with a bug, its repaired twin, what they are given, and the law that the bug breaks."""

    law: str
    made: Callable[[], nn.Module]
    repaired: Callable[[], nn.Module]
    x: Any
    options: dict[str, Any]
    says: str


def _numbers(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(4))


def _tokens(*shape: int) -> Tensor:
    return torch.randint(0, 11, shape, generator=torch.Generator().manual_seed(5))


_STARTS = torch.zeros(STEPS, BATCH, dtype=torch.bool)
_STARTS[0], _STARTS[4, 0], _STARTS[6, 2] = True, True, True
_X = _numbers(STEPS, BATCH, SIZE)
_DOCUMENTS = {"starts": _STARTS}

BUGS: dict[str, Bug] = {
    "leak across packed documents": Bug(
        "reset",
        lambda: PackedDocuments(None),
        lambda: PackedDocuments(0),
        (_X, _STARTS),
        _DOCUMENTS,
        "never forgotten",
    ),
    "reset one step late": Bug(
        "reset",
        lambda: PackedDocuments(1),
        lambda: PackedDocuments(0),
        (_X, _STARTS),
        _DOCUMENTS,
        "1 timestep late",
    ),
    "reset one step early": Bug(
        "reset",
        lambda: PackedDocuments(-1),
        lambda: PackedDocuments(0),
        (_X, _STARTS),
        _DOCUMENTS,
        "1 timestep early",
    ),
    "state stays zeros": Bug(
        "carry", lambda: VoiceActivity(True), lambda: VoiceActivity(False), _X, {}, "never carried on"
    ),
    "token consumed twice": Bug(
        "carry",
        lambda: Continuation(True),
        lambda: Continuation(False),
        _tokens(STEPS, BATCH),
        {},
        "has read it already",
    ),
    "padding advances the state": Bug(
        "padding",
        lambda: Padded(True),
        lambda: Padded(False),
        (_X, torch.tensor([10, 7, 4])),
        {},
        "advanced by the padding",
    ),
    "chunk is not step": Bug(
        "steps", lambda: Convolution(True), lambda: Convolution(False), _X, {}, "step by step"
    ),
    "view mixes the batch": Bug(
        "isolation",
        lambda: Views(True),
        lambda: Views(False),
        _numbers(BATCH, STEPS, SIZE),
        {},
        "mixed already",
    ),
    "wrong encoder layer": Bug(
        "carry",
        lambda: Translator(True),
        lambda: Translator(False),
        (_numbers(7, BATCH, SIZE), _X),
        {},
        "decoder l1 begins from what encoder l0 backward ended with",
    ),
    "detached state": Bug(
        "carry", lambda: Policy(True), lambda: Policy(False), _X, {}, "detached before every timestep"
    ),
    "state of both directions reshaped": Bug(
        "isolation", lambda: BothEnds(True), lambda: BothEnds(False), _X, {}, "what follows them does not"
    ),
    "state drawn at random": Bug(
        "reset", lambda: DrawnState(True), lambda: DrawnState(False), _X, {}, "drawn anew"
    ),
    "look-ahead": Bug(
        "causality",
        lambda: NextToken(True),
        lambda: NextToken(False),
        _tokens(STEPS, BATCH),
        {},
        "looks ahead already",
    ),
}

"""Models as users write them, some of them with a mistake, for the laws of state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

SIZE, UNITS, STEPS, BATCH = 3, 5, 9, 4


class Does(nn.Module):
    """A function of named modules and one input."""

    def __init__(self, do: Callable[..., Any], **modules: nn.Module) -> None:
        super().__init__()
        self.do = do
        for name, module in modules.items():
            self.add_module(name, module)

    def forward(self, x: Tensor) -> Any:
        return self.do(self, x)


def loop(do: Callable[[Any, Tensor, Tensor], Tensor]) -> Callable[[Any, Tensor], Tensor]:
    """A loop over time that hands h on."""

    def run(model: Any, x: Tensor) -> Tensor:
        h, outputs = x.new_zeros(x.shape[1], UNITS), []
        for part in x:
            h = do(model, part, h)
            outputs.append(h)
        return torch.stack(outputs)

    return run


class Packed(nn.Module):
    """Lengths are an argument, and the sequences are packed."""

    def __init__(self, packs: bool = True, bidirectional: bool = False) -> None:
        super().__init__()
        self.rnn, self.packs = nn.LSTM(SIZE, UNITS, bidirectional=bidirectional, batch_first=True), packs

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        if not self.packs:
            return self.rnn(x)[0][torch.arange(len(x)), lengths - 1]
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(self.rnn(packed)[0], batch_first=True, total_length=x.shape[1])[0]


class Attention(nn.Module):
    """A decoder that looks at all of what a bidirectional encoder gives."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.query = nn.GRU(SIZE, UNITS, bidirectional=True), nn.Linear(UNITS, 2 * UNITS)
        self.cell = nn.GRUCell(SIZE + 2 * UNITS, UNITS)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        memory, _ = self.encoder(source)
        h, outputs = source.new_zeros(source.shape[1], UNITS), []
        for x in target:
            weights = torch.softmax((memory * self.query(h)).sum(-1), 0)
            h = self.cell(torch.cat([x, (weights.unsqueeze(-1) * memory).sum(0)], -1), h)
            outputs.append(h)
        return torch.stack(outputs)


class Autoencoder(nn.Module):
    """A decoder begins from what an encoder has ended with, and reads x one timestep late."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.LSTM(SIZE, UNITS), nn.LSTM(SIZE, UNITS)

    def forward(self, x: Tensor) -> Tensor:
        _, state = self.encoder(x)
        output: Tensor = self.decoder(torch.cat([torch.zeros_like(x[:1]), x[:-1]]), state)[0]
        return output


class Keeps(nn.Module):
    """Two cells whose states are kept on the module; a reset may forget one of them."""

    def __init__(self, forgets: bool = True) -> None:
        super().__init__()
        self.a, self.b, self.forgets = nn.GRUCell(SIZE, UNITS), nn.GRUCell(UNITS, UNITS), forgets
        self.reset()

    def reset(self) -> None:
        self.h: Tensor | None = None
        if self.forgets:
            self.g: Tensor | None = None

    g = None

    def forward(self, x: Tensor) -> Tensor:
        zeros, outputs = x.new_zeros(x.shape[1], UNITS), []
        self.h, self.g = (zeros if s is None else s for s in (self.h, self.g))
        for part in x:
            self.h = self.a(part, self.h)
            self.g = self.b(self.h, self.g)
            outputs.append(self.g)
        return torch.stack(outputs)


class OneHot(nn.Module):
    """Tokens without an embedding, a state that must be given, and outputs of all timesteps in one axis."""

    def __init__(self) -> None:
        super().__init__()
        self.gru, self.head = nn.GRU(12, UNITS), nn.Linear(UNITS, 12)

    def forward(self, tokens: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        output, hidden = self.gru(nn.functional.one_hot(tokens, 12).float(), hidden)
        return self.head(output).view(-1, 12), hidden


class Returns(nn.Module):
    """What is returned as the state."""

    def __init__(self, swaps: bool) -> None:
        super().__init__()
        self.lstm, self.swaps = nn.LSTM(SIZE, UNITS), swaps

    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        output, (h, c) = self.lstm(x, state)
        return output, (c, h) if self.swaps else (h, c)


class Greedy(nn.Module):
    """A prompt is read and continued, by two cells in a loop."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.head = nn.Embedding(12, SIZE), nn.Linear(UNITS, 12)
        self.a, self.b = nn.GRUCell(SIZE, UNITS), nn.GRUCell(UNITS, UNITS)

    def forward(self, prompt: Tensor) -> Tensor:
        h = g = self.head.weight.new_zeros(prompt.shape[1], UNITS)
        tokens, outputs = list(prompt), []
        for n in range(len(prompt) + 3):
            h = self.a(self.table(tokens[n]), h)
            g = self.b(h, g)
            if n >= len(prompt) - 1:
                outputs.append(self.head(g))
                tokens.append(outputs[-1].argmax(-1))
        return torch.stack(outputs)


class Detached(nn.Module):
    """A loop in which the state is taken out of the graph where a sequence begins anew, or set to 0."""

    def __init__(self, detaches: bool) -> None:
        super().__init__()
        self.cell, self.detaches = nn.GRUCell(SIZE, UNITS), detaches

    def forward(self, x: Tensor, starts: Tensor) -> Tensor:
        h, outputs = x.new_zeros(x.shape[1], UNITS), []
        for part, begins in zip(x, starts, strict=True):
            h = torch.where(begins[:, None], h.detach() if self.detaches else torch.zeros_like(h), h)
            h = self.cell(part, h)
            outputs.append(h)
        return torch.stack(outputs)


class Plain(nn.Module):
    """Cells that no module has registered."""

    def __init__(self) -> None:
        super().__init__()
        self.cells = [nn.GRUCell(SIZE, UNITS)]

    def forward(self, x: Tensor) -> Tensor:
        return loop(lambda model, part, h: model.cells[0](part, h))(self, x)


class Stepwise(nn.Module):
    """A loop, and a function for one timestep that does the same, or leaves something out."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRUCell(SIZE, UNITS)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(loop(lambda model, part, h: model.cell(part, h))(self, x))

    def step(self, x: Tensor, h: Tensor | None) -> tuple[Tensor, Tensor]:
        h = self.cell(x, x.new_zeros(len(x), UNITS) if h is None else h)
        return torch.relu(h), h

    def step_without_relu(self, x: Tensor, h: Tensor | None) -> tuple[Tensor, Tensor]:
        _, h = self.step(x, h)
        return h, h

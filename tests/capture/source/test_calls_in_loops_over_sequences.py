"""A loop that gives a whole sequence in each pass to a module which loops over that: each is a run."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import pytest
import torch
from oracles.recurrents import gap, noise
from torch import Tensor, nn

import lstmtui

EXACT = 1e-12


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear, self.kept = nn.Linear(7, 4), list[list[Tensor]]()
        self.double()

    def forward(self, x: Tensor) -> Tensor:
        h, out = x.new_zeros((*x.shape[1:-1], 4)), []
        for v in x:
            h = torch.tanh(self.linear(torch.cat([v, h], -1)))
            out.append(h)
        self.kept.append(out)
        return h


class Twins(nn.Module):
    """Compares sequences of unequal length."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Encoder()

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        alike = a.new_ones(())
        for x in (a, b):
            code = self.encoder(x)
            alike = alike * code
        return alike


class EachAlone(nn.Module):
    """Reads its sequences one after another."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Encoder()

    def forward(self, x: Tensor) -> Tensor:
        out = []
        for n in range(x.shape[1]):
            code = self.encoder(x[:, n : n + 1])
            out.append(code)
        return torch.cat(out)


class Ragged(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = Encoder()

    def forward(self, xs: Sequence[Tensor]) -> Tensor:
        return torch.stack([self.encoder(x) for x in xs])


INPUTS: dict[Callable[[], nn.Module], Callable[[int, int], tuple[object, ...]]] = {
    Twins: lambda t, b: (noise(t, b, 3, seed=1), noise(t + 2, b, 3, seed=2)),
    EachAlone: lambda t, b: (noise(t, b, 3, seed=3),),
    Ragged: lambda t, b: ([noise(t + n, 3, seed=4 + n) for n in range(b)],),
}


@pytest.mark.parametrize("kind", INPUTS)
def test_each_sequence_is_a_run(kind: Callable[[], nn.Module]) -> None:
    for steps, batch in itertools.product([4, 6], [2, 3, 4]):
        given, by_hand = INPUTS[kind](steps, batch), kind()
        trace = lstmtui.record(kind(), *given, loss=lambda y: y.square().sum())
        loss = by_hand(*given).square().sum()
        kept: list[list[Tensor]] = by_hand.encoder.kept  # type: ignore[assignment,union-attr]
        for h in itertools.chain(*kept):
            h.retain_grad()
        loss.backward()
        own = [n for n, layer in enumerate(trace.layers) if layer.path.startswith("encoder")]
        assert len(own) == len(kept), (steps, batch)
        for layer, states in zip(own, kept, strict=True):
            for t, h in enumerate(states):
                assert gap(trace.values("h", layer)[t].reshape(h.shape), h) <= EXACT
                assert gap(trace.values("dh", layer)[t].reshape(h.shape), h.grad) <= EXACT


def test_a_state_that_the_loop_takes_from_sequence_to_sequence_makes_these_timesteps() -> None:
    class Document(nn.Module):
        """Reads sentences of words."""

        def __init__(self) -> None:
            super().__init__()
            self.encoder, self.both = Encoder(), nn.Linear(8, 4).double()  # from the encoder's seed on
            self.kept: list[Tensor] = []

        def forward(self, x: Tensor) -> Tensor:
            d = x.new_zeros(x.shape[2], 4)
            for words in x:
                code = self.encoder(words)
                d = torch.tanh(self.both(torch.cat([code, d], -1)))
                self.kept.append(d)
            return d

    x, by_hand = noise(3, 5, 2, 3, seed=9), Document()
    trace = lstmtui.record(Document(), x)
    by_hand(x)
    layer = [layer.path for layer in trace.layers].index("")
    for t, d in enumerate(by_hand.kept):
        assert gap(trace.values("d", layer)[t], d) <= EXACT


def test_calls_that_are_given_what_the_one_before_has_made_are_timesteps() -> None:
    """As heads of a memory, which a module in the loop over time calls, and which go over the sequences."""

    class Head(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.linear, self.kept = nn.Linear(3, 5), list[Tensor]()
            self.double()

        def forward(self, x: Tensor, before: Tensor) -> Tensor:
            shift = torch.softmax(self.linear(x), -1)
            moved = torch.zeros_like(before)
            for b in range(len(x)):
                moved[b] = wrapped(before[b], shift[b])
            w = moved / moved.sum(1, keepdim=True)
            self.kept.append(w)
            return w

    def wrapped(w: Tensor, s: Tensor) -> Tensor:
        rolled = torch.stack([w.roll(n) for n in range(len(s))])
        return s @ rolled

    class Memory(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.heads = nn.ModuleList([Head(), Head()])

        def forward(self, x: Tensor, states: list[Tensor]) -> list[Tensor]:
            return [head(x, state) for head, state in zip(self.heads, states, strict=True)]

    class Machine(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.memory = Memory()

        def forward(self, x: Tensor) -> Tensor:
            states = [torch.softmax(torch.arange(5.0, dtype=x.dtype), 0).expand(x.shape[1], 5)] * 2
            for v in x:
                states = self.memory(v, states)
            return states[1]

    x, by_hand = noise(6, 2, 3, seed=4), Machine()
    trace = lstmtui.record(Machine(), x, loss=lambda y: y.square().sum())
    by_hand(x)
    for n, head in enumerate(by_hand.memory.heads):
        own = [m for m, layer in enumerate(trace.layers) if layer.path.startswith(f"memory.heads.{n}")]
        assert len(own) == 1
        assert gap(trace.values("w", own[0]), torch.stack(head.kept)) <= EXACT  # type: ignore[arg-type]
        assert own[0] == [layer.path for layer in trace.layers].index(f"memory.heads.{n}")

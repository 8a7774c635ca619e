"""Small recurrent models trained until their loss is good: what no verdict may call bad."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

import lstmtui
from lstmtui.trace import Trace

Loss: TypeAlias = Callable[[Any], Tensor]
Batch: TypeAlias = tuple[Tensor, Tensor]
MOST_STEPS = 1500
"""Of the optimizer; a model that has not learned its task by then is none of these."""


class Reader(nn.Module):
    """A recurrent layer and a head: on every timestep, the last one, the final states, or their mean."""

    def __init__(self, rnn: nn.Module, units: int, outputs: int, read: str) -> None:
        super().__init__()
        self.rnn, self.read = rnn, read
        self.head = nn.Linear(units, outputs)

    def forward(self, x: Tensor) -> Tensor:
        out, state = self.rnn(x)
        h = state[0] if isinstance(state, tuple) else state
        if self.read == "last":
            out = out[-1]
        elif self.read == "mean":
            out = out.mean(0)
        elif self.read == "final":
            # Both directions of the last layer, each where it has read all.
            out = torch.cat([h[-2], h[-1]], -1)
        answer: Tensor = self.head(out)
        return answer


@dataclass(frozen=True)
class Task:
    """Something to learn."""

    name: str
    inputs: int
    outputs: int
    make: Callable[[int, int], Batch]
    """Input (T, B, inputs) and target, from (T, B)."""
    loss: Callable[[Tensor, Tensor], Tensor]
    read: str
    good: float
    """The loss below which it is learned."""


def _wave(steps: int, batch: int) -> Tensor:
    t = torch.arange(steps + 1)[:, None] * (0.15 + 0.3 * torch.rand(batch))
    return torch.sin(t + 6 * torch.rand(batch))[..., None]


def _next_value(steps: int, batch: int) -> Batch:
    wave = _wave(steps, batch)
    return wave[:-1], wave[1:]


def _next_at_the_end(steps: int, batch: int) -> Batch:
    wave = _wave(steps, batch)
    return wave[:-1], wave[-1]


def _first_symbol(steps: int, batch: int) -> Batch:
    first = torch.randint(0, 3, (batch,))
    x = 0.1 * torch.randn(steps, batch, 3)
    x[0] = 2.0 * nn.functional.one_hot(first, 3)
    return x, first


def _sum_sign(steps: int, batch: int) -> Batch:
    x = torch.randn(steps, batch, 1)
    return x, (x.cumsum(0) > 0).float()


def _delayed(steps: int, batch: int) -> Batch:
    bits = torch.randint(0, 2, (steps, batch, 1)).float()
    return 2 * bits - 1, torch.cat([torch.zeros(2, batch, 1), bits[:-2]])


def _mean_value(steps: int, batch: int) -> Batch:
    x = torch.rand(steps, batch, 1)
    return x, 3 * x.mean(0)


def _neighbours(steps: int, batch: int) -> Batch:
    x = torch.randn(steps, batch, 1)
    around = x + torch.roll(x, 1, 0) + torch.roll(x, -1, 0)
    around[0] -= x[-1]
    around[-1] -= x[0]
    return x, (around > 0).float()


def _peak(steps: int, batch: int) -> Batch:
    kind = torch.randint(0, 2, (batch,))
    x = 0.3 * torch.randn(steps, batch, 2)
    at = torch.randint(2, steps - 2, (batch,))
    x[at, torch.arange(batch), kind] += 3.0
    return x, kind


_BCE, _CE, _MSE = (
    nn.functional.binary_cross_entropy_with_logits,
    nn.functional.cross_entropy,
    nn.functional.mse_loss,
)
ONE_WAY = (
    Task("next value", 1, 1, _next_value, _MSE, "every", 0.02),
    Task("next at the end", 1, 1, _next_at_the_end, _MSE, "last", 0.02),
    Task("first symbol", 3, 3, _first_symbol, _CE, "last", 0.1),
    Task("sign of the sum", 1, 1, _sum_sign, _BCE, "every", 0.2),
    Task("delayed bit", 1, 1, _delayed, _BCE, "every", 0.1),
    Task("mean value", 1, 1, _mean_value, _MSE, "last", 0.02),
    Task("peak", 2, 2, _peak, _CE, "mean", 0.1),
)
BOTH_WAYS = (
    Task("neighbours", 1, 1, _neighbours, _BCE, "every", 0.2),
    Task("peak, final states", 2, 2, _peak, _CE, "final", 0.1),
    Task("mean value, final states", 1, 1, _mean_value, _MSE, "final", 0.02),
)


def trained(seed: int) -> tuple[str, Trace] | None:
    """A model and a batch that it had not seen, recorded, with a name; None where it has not learned."""
    random = torch.Generator().manual_seed(seed)

    def choose(options: Any) -> Any:
        return options[int(torch.randint(len(options), (1,), generator=random))]

    torch.manual_seed(seed)
    both = seed % 3 == 2
    task: Task = choose(BOTH_WAYS if both else ONE_WAY)
    cell = choose((nn.LSTM, nn.LSTM, nn.GRU, nn.GRU, nn.RNN))
    layers, units = choose((1, 1, 2, 3)), choose((12, 16, 24, 32))
    steps, batch = choose((12, 20, 30, 40)), choose((4, 8, 16))
    rnn = cell(task.inputs, units, num_layers=layers, bidirectional=both)
    model = Reader(rnn, units * (1 + both), task.outputs, task.read)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    average = float("inf")
    for _ in range(MOST_STEPS):
        x, target = task.make(steps, 32)
        optimizer.zero_grad()
        loss = task.loss(model(x), target)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        now = loss.item()
        average = now if average == float("inf") else 0.95 * average + 0.05 * now
        if average < task.good:
            break
    else:
        return None
    x, target = task.make(steps, batch)
    trace = lstmtui.record(model, x, loss=lambda out: task.loss(out, target))
    directions = " both ways" if both else ""
    name = (
        f"{task.name}: {cell.__name__} {layers}×{units}{directions}, T={steps}, B={batch}, loss {average:.3f}"
    )
    return name, trace

"""Training a model: Adam on a one-cycle schedule, with clipped gradients, a step at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

LEARNING_RATE = 0.01
"""The largest of the schedule, which begins at a 25th of it and ends near 0."""
CLIP = 1.0
"""The largest norm of all gradients together."""
FRESH_SEED = 1_000_000
"""Of the first batch that is drawn; scenarios show sequences of small seeds, which are never trained on."""
BATCH = 32
"""Sequences of a batch that is drawn."""


@dataclass(frozen=True)
class Batch:
    """Sequences with their targets."""

    x: Tensor
    """(T, B, I), or token ids (T, B)."""
    loss: Callable[[Tensor], Tensor]
    """Of y (T, B, O)."""
    hx: Any = None
    """The initial states; None: those of the cell."""
    lengths: Tensor | None = None
    """(B,) where sequences differ in length."""

    def loss_of(self, model: nn.Module) -> Tensor:
        """The loss of what the model makes of the sequences."""
        return self.loss(model(self.x, self.hx, self.lengths)[0])


def train(
    model: nn.Module, draw: Callable[[int], Batch], steps: int, learning_rate: float = LEARNING_RATE
) -> Iterator[float]:
    """Train a model in place, and give the loss of every step; whoever stops asking stops the training.

    Args:
        model: called with (x, hx, lengths), and gives y first.
        draw: the batch of a step, from 0 on.
        steps: how many the schedule is for.
        learning_rate: the largest of the schedule.

    Raises:
        FloatingPointError: the loss is not finite; the model is left as it was before that step.
    """
    model.train()
    optimiser = torch.optim.Adam(model.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=learning_rate, total_steps=max(1, steps))
    for step in range(steps):
        loss = draw(step).loss_of(model)
        if not torch.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss.item()} at step {step + 1}")
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimiser.step()
        schedule.step()
        yield loss.item()


def measure(model: nn.Module, batch: Batch) -> float:
    """The loss of a batch, without learning from it."""
    model.eval()
    with torch.no_grad():
        return batch.loss_of(model).item()

"""What an idle `lstmtui.watch` costs: steps of a training loop inside it against the same steps without it.

Run from the root of the repository: `python tests/benchmarks/watch.py`; with `--source` the model is a loop
that is written by hand, and its code is recorded; with `--small` it is an LSTMCell that is called at each
timestep, and then a layer with 3,000 operations on few numbers behind it. Times depend on the machine; the
ratios, all taken in one run by the time of the processor, hardly do.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from time import process_time
from typing import Any

import torch
from source import Loop
from torch import Tensor, nn

import lstmtui

SIZES = ("100x32x64x128", "200x32x64x256", "1000x1x64x256")
WATCHES: dict[str, dict[str, Any]] = {
    "exceptions only": {},
    "h": {"when": "any(isnan(h))"},
    "c": {"when": "norm(c) > 1e9"},
    "dh": {"when": "norm(dh) > 1e9"},
    "dh, every=10": {"when": "norm(dh) > 1e9", "every": 10},
}
SOURCE_SIZES = ("1000x1x64x64", "1000x1x256x256", "1000x32x64x64")
OF_SOURCE: dict[str, dict[str, Any]] = {
    "exceptions only": {"source": True},
    "c": {"source": True, "when": "norm(c) > 1e9"},
    "dc": {"source": True, "when": "norm(dc) > 1e9"},
    "dc, every=10": {"source": True, "when": "norm(dc) > 1e9", "every": 10},
}
SMALL_SIZES = ("200x8x32x64", "10x2x8x16")


class Forecaster(nn.Module):
    """A layer and a head."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.rnn, self.head = nn.LSTM(inputs, hidden), nn.Linear(hidden, 1)

    def forward(self, x: Tensor) -> Tensor:
        """y, (T, B, 1)."""
        y: Tensor = self.head(self.rnn(x)[0])
        return y


class Cells(nn.Module):
    """A cell that is called at each timestep, and a head."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.cell, self.head = nn.LSTMCell(inputs, hidden), nn.Linear(hidden, 1)

    def forward(self, x: Tensor) -> Tensor:
        """y, (T, B, 1)."""
        h, c = (x.new_zeros(x.shape[1], self.cell.hidden_size) for _ in range(2))
        states = []
        for x_t in x:
            h, c = self.cell(x_t, (h, c))
            states.append(h)
        y: Tensor = self.head(torch.stack(states))
        return y


class SmallOperations(Forecaster):
    """A layer and a head, and many operations on what they return."""

    def forward(self, x: Tensor) -> Tensor:
        """y, (T, B, 1)."""
        y = super().forward(x)
        for _ in range(1500):
            y = y * 1.0001 + 0.001
        return y


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sizes", nargs="*", metavar="TxBxIxH")
    parser.add_argument("--source", action="store_true", help="watch code by source")
    parser.add_argument("--small", action="store_true", help="watch many calls, and many operations")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or mps")
    parser.add_argument("--steps", type=int, default=10, help="training steps of a round")
    parser.add_argument("--repeat", type=int, default=5, help="the best of so many rounds counts")
    given = parser.parse_args(arguments)
    watches, sizes = (OF_SOURCE, SOURCE_SIZES) if given.source else (WATCHES, SIZES)
    kinds: Sequence[Callable[[int, int], nn.Module]] = [Forecaster]
    if given.source:
        kinds = [lambda inputs, hidden: Loop(hidden)]
    elif given.small:
        sizes, kinds = SMALL_SIZES, [Cells, SmallOperations]
    print(f"{'T':>6} {'B':>4} {'I':>5} {'H':>5} {'bare step':>10}  " + "".join(f"{n:>17}" for n in watches))
    for number, size in enumerate(given.sizes or sizes):
        steps, batch, inputs, hidden = (int(part) for part in size.split("x"))
        torch.manual_seed(0)
        model = kinds[number % len(kinds)](inputs, hidden).to(given.device)
        x = torch.randn(steps, batch, inputs, device=given.device)
        rounds: list[Callable[[], AbstractContextManager[Any]]] = [nullcontext]
        rounds += [partial(lstmtui.watch, model, **options) for options in watches.values()]
        taken = [[seconds(model, x, r(), given.steps) for r in rounds] for _ in range(given.repeat)]
        bare, *watched = (min(column) for column in zip(*taken, strict=True))
        print(
            f"{steps:>6,} {batch:>4} {inputs:>5} {hidden:>5} {bare * 1e3:>7.1f} ms  "
            + "".join(f"{one / bare:>16.2f}×" for one in watched)
        )


def seconds(model: nn.Module, x: Tensor, context: AbstractContextManager[Any], steps: int) -> float:
    """Of one training step, on average."""
    optimizer = torch.optim.SGD(model.parameters(), 1e-3)
    begun = process_time()
    with context:
        for _ in range(steps):
            optimizer.zero_grad()
            model(x).square().mean().backward()
            optimizer.step()
    if x.is_cuda:
        torch.cuda.synchronize()
    return (process_time() - begun) / steps


if __name__ == "__main__":
    main()

"""What an idle `lstmtui.watch` costs: steps of a training loop inside it against the same steps without it.

Run from the root of the repository: `python tests/benchmarks/watch.py`; with `--source` the model is a loop
that is written by hand, and its code is recorded. Times depend on the machine; the ratios, all taken in one
run by the time of the processor, hardly do.
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


class Forecaster(nn.Module):
    """A layer and a head."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.rnn, self.head = nn.LSTM(inputs, hidden), nn.Linear(hidden, 1)

    def forward(self, x: Tensor) -> Tensor:
        """y, (T, B, 1)."""
        y: Tensor = self.head(self.rnn(x)[0])
        return y


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sizes", nargs="*", metavar="TxBxIxH")
    parser.add_argument("--source", action="store_true", help="watch code by source")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or mps")
    parser.add_argument("--steps", type=int, default=10, help="training steps of a round")
    parser.add_argument("--repeat", type=int, default=5, help="the best of so many rounds counts")
    given = parser.parse_args(arguments)
    watches, sizes = (OF_SOURCE, SOURCE_SIZES) if given.source else (WATCHES, SIZES)
    print(f"{'T':>6} {'B':>4} {'I':>5} {'H':>5} {'bare step':>10}  " + "".join(f"{n:>17}" for n in watches))
    for size in given.sizes or sizes:
        steps, batch, inputs, hidden = (int(part) for part in size.split("x"))
        torch.manual_seed(0)
        model = (Loop(hidden) if given.source else Forecaster(inputs, hidden)).to(given.device)
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

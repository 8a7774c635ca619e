"""What recording a loop that calls a recurrent module step by step costs, against the loop alone.

Run from the root of the repository: `python tests/benchmarks/loops.py`. The ways alternate, and the fastest
run of each counts, by the time of the processor. `record` is `lstmtui.record` of a module whose forward is
the loop, `recording` a block round the same forward and backward pass; both give a trace with every array.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from time import process_time

import torch
from torch import Tensor, nn

import lstmtui

T, B, H = 1000, 4, 32


class Rollout(nn.Module):
    """An LSTMCell in a loop, with episodes that begin anew in between."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(H, H)

    def forward(self, x: Tensor) -> Tensor:
        """The sum of all h."""
        h = c = x.new_zeros(x.shape[1], H)
        total = x.new_zeros(())
        for t, now in enumerate(x):
            keep = float(t % 100 != 0)
            h, c = self.cell(now, (h * keep, c * keep))
            total = total + h.sum()
        return total


class Stepped(nn.Module):
    """A GRU that is called with one timestep at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(H, H)

    def forward(self, x: Tensor) -> Tensor:
        """The sum of all outputs."""
        total, state = x.new_zeros(()), None
        for now in x.split(1):
            output, state = self.gru(now, state)
            total = total + output.sum()
        return total


def bare(model: nn.Module, x: Tensor) -> None:
    """Forward and backward."""
    model(x).backward()


def record(model: nn.Module, x: Tensor) -> None:
    """By `lstmtui.record`."""
    for _ in lstmtui.record(model, x, loss=lambda total: total).arrays.values():
        pass


def recording(model: nn.Module, x: Tensor) -> None:
    """By a block."""
    with lstmtui.recording() as r:
        model(x).backward()
    for _ in r.trace.arrays.values():
        pass


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=5, help="the best of so many rounds counts")
    parser.add_argument("--steps", type=int, default=T, help="timesteps")
    given = parser.parse_args(arguments)
    ways: list[Callable[[nn.Module, Tensor], None]] = [bare, record]
    if hasattr(lstmtui, "recording"):
        ways.append(recording)
    print(f"{'loop':>8} {'bare':>9}" + "".join(f"{way.__name__:>11}" for way in ways[1:]))
    for kind in (Rollout, Stepped):
        torch.manual_seed(0)
        model, x = kind(), torch.randn(given.steps, B, H)
        best = [float("inf")] * len(ways)
        for _ in range(given.repeat):
            for number, way in enumerate(ways):
                model.zero_grad()
                begun = process_time()
                way(model, x)
                best[number] = min(best[number], process_time() - begun)
        ratios = "".join(f"{own / best[0]:>10.2f}×" for own in best[1:])
        print(f"{kind.__name__.lower():>8} {best[0] * 1e3:>7.1f}ms{ratios}", flush=True)


if __name__ == "__main__":
    main()

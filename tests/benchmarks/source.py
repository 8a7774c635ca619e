"""What recording by source costs: a loop that is written by hand, traced, against the bare loop.

Run from the root of the repository: `python tests/benchmarks/source.py`. The ways alternate, and the fastest
run of each counts, by the time of the processor, so that another load on the machine touches all of them
alike. `recorded` is `lstmtui.record(…, source=True)` with the trace that it gives, `read` the same and every
array of it read, `traced` the tracer alone, and `retain_grad` the same loop where it keeps copies of
everything by itself.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from time import process_time

import torch
from torch import Tensor, nn
from torch.autograd.graph import get_gradient_edge

import lstmtui
from lstmtui.capture.source.tracing.tracer import SourceTracer
from lstmtui.capture.source.undisturbed import old_objects_aside

SIZES = ("1000x1x64", "1000x1x256", "1000x32x64", "1000x32x256", "1000x64x64")


class Loop(nn.Module):
    """An LSTM that binds twelve names in each round."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.wx, self.wh = nn.Linear(hidden, 4 * hidden), nn.Linear(hidden, 4 * hidden, bias=False)

    def forward(self, x: Tensor, keep: Callable[..., None] | None = None) -> Tensor:
        """The last h, (B, hidden)."""
        h = c = x.new_zeros(x.shape[1], self.hidden)
        for x_t in x:
            pre = self.wx(x_t) + self.wh(h)
            a, b, g_pre, d = pre.chunk(4, 1)
            i = torch.sigmoid(a)
            f = torch.sigmoid(b)
            g = torch.tanh(g_pre)
            o = torch.sigmoid(d)
            c = f * c + i * g
            h = o * torch.tanh(c)
            if keep is not None:
                keep(x_t, pre, a, b, g_pre, d, i, f, g, o, c, h)
        return h


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sizes", nargs="*", default=SIZES, metavar="TxBxH")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long to repeat each of them")
    parser.add_argument("--threads", type=int, help="of torch on the CPU")
    given = parser.parse_args(arguments)
    if given.threads:
        torch.set_num_threads(given.threads)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    heads = (("T", 6), ("B", 4), ("H", 5), ("bare", 9), ("recorded", 9), ("read", 7), ("traced", 8))
    print(*(f"{head:>{width}}" for head, width in heads), f"{'retain_grad':>12}")
    for size in given.sizes:
        steps, batch, hidden = (int(part) for part in size.split("x"))
        torch.manual_seed(0)
        model, x = Loop(hidden), torch.randn(steps, batch, hidden)
        best = alternating((bare, recorded, read, traced, retained), model, x, given.seconds)
        ratios = " ".join(
            f"{own / best[0]:>{width}.2f}×" for own, width in zip(best[1:], (8, 6, 7, 11), strict=True)
        )
        print(f"{steps:>6,} {batch:>4} {hidden:>5} {best[0] * 1e3:>7.1f}ms {ratios}", flush=True)


def alternating(
    ways: Sequence[Callable[[Loop, Tensor], None]], model: Loop, x: Tensor, seconds: float
) -> list[float]:
    """Seconds of the fastest run of each way."""
    best = [float("inf")] * len(ways)
    rounds, end = 0, process_time() + seconds
    while rounds < 3 or process_time() < end:
        for number, work in enumerate(ways):
            model.zero_grad()
            begun = process_time()
            work(model, x)
            best[number] = min(best[number], process_time() - begun)
        rounds += 1
    return best


def bare(model: Loop, x: Tensor) -> None:
    """Forward and backward, keeping nothing."""
    model(x).sum().backward()


def recorded(model: Loop, x: Tensor) -> None:
    """The trace, whose derivatives are put together when they are first read."""
    lstmtui.record(model, x, source=True, loss=torch.sum)


def read(model: Loop, x: Tensor) -> None:
    """The trace, with every array."""
    for _ in lstmtui.record(model, x, source=True, loss=torch.sum).arrays.values():
        pass


def traced(model: Loop, x: Tensor) -> None:
    """Every binding, with copies of its value and its total derivative."""
    with old_objects_aside():
        with SourceTracer(model, hooks=False) as tracer:
            h = model(x)
        ends = tracer.ends()
        parameters = [get_gradient_edge(parameter) for parameter in model.parameters()]
        tracer.derive(torch.autograd.grad(h.sum(), [*ends, *parameters], allow_unused=True)[: len(ends)])
    assert len(tracer.bindings) > 12 * len(x)
    assert tracer.failure is None


def retained(model: Loop, x: Tensor) -> None:
    """The same by hand."""
    kept: list[Tensor] = []
    copies: list[Tensor] = []

    def keep(*tensors: Tensor) -> None:
        for tensor in tensors:
            if tensor.requires_grad:
                tensor.retain_grad()
        kept.extend(tensors)
        copies.extend(tensor.detach().clone() for tensor in tensors)

    model(x, keep).sum().backward()
    copies.extend(tensor.grad for tensor in kept if tensor.requires_grad and tensor.grad is not None)


if __name__ == "__main__":
    main()

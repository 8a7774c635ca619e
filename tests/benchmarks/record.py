"""What recording costs, against a loop over cells with `retain_grad` and a bare forward and backward.

Run from the root of the repository: `python tests/benchmarks/record.py`. Times depend on the machine; the
ratios, all taken in one run, hardly do.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from time import perf_counter

import torch
from torch import Tensor, nn

import lstmtui

SIZES = ("1000x64x64", "1000x64x256", "1000x64x512", "10000x64x128")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sizes", nargs="*", default=SIZES, metavar="TxIxH", help="timesteps, inputs, units")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or mps")
    parser.add_argument("--repeat", type=int, default=3, help="the best of so many runs counts")
    parser.add_argument("--threads", type=int, help="of torch on the CPU")
    given = parser.parse_args(arguments)
    if given.threads:
        torch.set_num_threads(given.threads)
    print(f"{'T':>7} {'I':>5} {'H':>5} {'record':>9} {'loop/record':>12} {'record/bare':>12}")
    for size in given.sizes:
        steps, inputs, hidden = (int(part) for part in size.split("x"))
        torch.manual_seed(0)
        layer = nn.LSTM(inputs, hidden).to(given.device)
        x = torch.randn(steps, 1, inputs, device=given.device)
        seconds = {work.__name__: best(work, layer, x, given.repeat) for work in (recorded, cell_loop, bare)}
        print(
            f"{steps:>7,} {inputs:>5} {hidden:>5} {seconds['recorded']:>8.3f}s "
            f"{seconds['cell_loop'] / seconds['recorded']:>11.1f}× "
            f"{seconds['recorded'] / seconds['bare']:>11.1f}×"
        )


def best(work: Callable[[nn.LSTM, Tensor], None], layer: nn.LSTM, x: Tensor, repeat: int) -> float:
    """Seconds of the fastest run."""
    taken = []
    for _ in range(repeat):
        wait(x)
        begun = perf_counter()
        work(layer, x)
        wait(x)
        taken.append(perf_counter() - begun)
    return min(taken)


def wait(x: Tensor) -> None:
    """Let the device finish."""
    if x.is_cuda:
        torch.cuda.synchronize()


def recorded(layer: nn.LSTM, x: Tensor) -> None:
    """lstmtui.record."""
    lstmtui.record(layer, x)


def bare(layer: nn.LSTM, x: Tensor) -> None:
    """The fused forward and backward, keeping nothing."""
    layer.zero_grad()
    layer(x)[1][0].sum().backward()


def cell_loop(layer: nn.LSTM, x: Tensor) -> None:
    """The same numbers by hand: every gate of every timestep kept, and its gradient with `retain_grad`."""
    layer.zero_grad()
    w, r, b = layer.weight_ih_l0, layer.weight_hh_l0, layer.bias_ih_l0 + layer.bias_hh_l0
    h = c = x.new_zeros(x.shape[1], layer.hidden_size)
    kept: list[Tensor] = []
    for x_t in x:
        pre = (x_t @ w.T + h @ r.T + b).chunk(4, dim=1)
        i, f, o = (pre[at].sigmoid() for at in (0, 1, 3))
        g = pre[2].tanh()
        c = f * c + i * g
        h = o * c.tanh()
        kept += [*pre, i, f, g, o, c, h]
    for tensor in kept:
        tensor.retain_grad()
    h.sum().backward()
    for tensor in kept:
        if tensor.grad is not None:
            tensor.detach().cpu(), tensor.grad.cpu()


if __name__ == "__main__":
    main()

"""What a whole recording costs: every gate, state and gradient, against a bare forward and backward.

Run from the root of the repository: `python tests/benchmarks/fused.py`. The ways alternate, and the fastest
run of each counts, so that another load on the machine touches all of them alike. `first` is the first
recording of a size, after a bare run of it, without imports. On a GPU arrays are worked out when somebody
looks: `looked` is a recording of which every array is then looked at, and `memory` the most of the GPU that
the recording took at a time.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from time import perf_counter

import torch
from torch import Tensor, nn

import lstmtui
import lstmtui.capture.record

SIZES = (
    "LSTM 1000x1x64x64",
    "LSTM 1000x1x64x256",
    "LSTM 1000x1x64x512",
    "LSTM 1000x1x512x1024",
    "LSTM 10000x1x64x128",
    "GRU 1000x1x64x64",
    "GRU 1000x1x64x512",
    "RNN 1000x1x64x256",
)
ON_A_GPU = (
    "LSTM 1000x32x512x512",
    "LSTM 200x128x256x1024",
    "GRU 1000x32x512x512",
    "LSTM 1000x1x64x256",
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "sizes", nargs="*", metavar="'LSTM TxBxIxH'", help="timesteps, sequences, inputs, units"
    )
    parser.add_argument("--seconds", type=float, default=4.0, help="how long to repeat each of them")
    parser.add_argument("--threads", type=int, help="of torch on the CPU")
    given = parser.parse_args(arguments)
    if given.threads:
        torch.set_num_threads(given.threads)
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    titles = f"{'T':>7} {'B':>3} {'I':>4} {'H':>5} {'bare':>9} {'record':>9} {'ratio':>6}"
    print(" " * 10 + titles + f" {'first':>9} {'looked':>9} {'parity':>8} {'memory':>9} {'loop/record':>11}")
    for device in devices:
        for size in given.sizes or (SIZES if device == "cpu" else ON_A_GPU):
            measure(size, device, given.seconds)


def measure(size: str, device: str, seconds: float) -> None:
    """One row."""
    kind, sizes = size.split()
    steps, batch, inputs, hidden = (int(part) for part in sizes.split("x"))
    torch.manual_seed(0)
    layer = getattr(nn, kind)(inputs, hidden).to(device)
    x = torch.randn(steps, batch, inputs, device=device)
    ways: list[Callable[[nn.RNNBase, Tensor], None]] = [bare, recorded, looked_at]
    if kind == "LSTM" and batch == 1 and device == "cpu":
        ways.append(cell_loop)
    bare(layer, x)
    first, parity = once(recorded, layer, x), lstmtui.record(layer, x).parity
    taken = f"{memory_of(recorded, layer, x) / 2**30:>5.1f} GiB" if x.is_cuda else f"{'':>9}"
    best = alternating(ways, layer, x, seconds)
    loop = f"{best[3] / best[1]:>10.1f}×" if len(best) > 3 else ""
    print(
        f"{device:>4} {kind:>4} {steps:>7,} {batch:>3} {inputs:>4} {hidden:>5} {best[0] * 1e3:>7.1f}ms "
        f"{best[1] * 1e3:>7.1f}ms {best[1] / best[0]:>5.2f}× {first * 1e3:>7.1f}ms {best[2] * 1e3:>7.1f}ms "
        f"{parity:>8.1e} {taken} {loop}",
        flush=True,
    )


def alternating(
    ways: Sequence[Callable[[nn.RNNBase, Tensor], None]], layer: nn.RNNBase, x: Tensor, seconds: float
) -> list[float]:
    """Seconds of the fastest run of each way."""
    best = [float("inf")] * len(ways)
    rounds, end = 0, perf_counter() + seconds
    while rounds < 3 or perf_counter() < end:
        for number, work in enumerate(ways):
            if number >= 2 and rounds >= 3:
                continue  # These are slow enough to be told from noise by three runs.
            best[number] = min(best[number], once(work, layer, x))
        rounds += 1
    return best


def once(work: Callable[[nn.RNNBase, Tensor], None], layer: nn.RNNBase, x: Tensor) -> float:
    """Seconds of one run."""
    wait(x)
    begun = perf_counter()
    work(layer, x)
    wait(x)
    return perf_counter() - begun


def memory_of(work: Callable[[nn.RNNBase, Tensor], None], layer: nn.RNNBase, x: Tensor) -> int:
    """The most bytes of the GPU that a run took at a time."""
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    work(layer, x)
    wait(x)
    return torch.cuda.max_memory_allocated() - before


def wait(x: Tensor) -> None:
    """Let the device finish."""
    if x.is_cuda:
        torch.cuda.synchronize()


def bare(layer: nn.RNNBase, x: Tensor) -> None:
    """The fused forward and backward, keeping nothing."""
    layer.zero_grad()
    state = layer(x)[1]
    (state[0] if isinstance(state, tuple) else state).sum().backward()


def recorded(layer: nn.RNNBase, x: Tensor) -> None:
    """lstmtui.record."""
    lstmtui.record(layer, x)


def looked_at(layer: nn.RNNBase, x: Tensor) -> None:
    """lstmtui.record, and a look at every array."""
    for _ in lstmtui.record(layer, x).arrays.values():
        pass


def cell_loop(layer: nn.RNNBase, x: Tensor) -> None:
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

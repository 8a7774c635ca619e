"""y: what a module returned for each timestep, recognised by where it came from and never by its shape."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from lstmtui.capture.axes import Axes
from lstmtui.capture.module_runs import ModuleRun
from lstmtui.capture.modules.arguments import tensors_in
from lstmtui.capture.origins.origins import Origins

Turn = Callable[[Tensor], Tensor]


def output_of(result: Any, origins: Origins, runs: Iterable[ModuleRun]) -> tuple[Tensor | None, Turn]:
    """The first tensor of a result that has a value for each timestep, and what turns it to (T, B, units).

    Where time and sequences cannot be told from how it was made, there is none.

    Args:
        result: what the module returned.
        origins: what its recurrent layers returned.
        runs: of these layers.
    """
    sizes = {(run.length, run.batch) for run in runs}
    for part in tensors_in(result) if sizes else ():
        if isinstance(part, Tensor) and not part.dim() and (1, 1) not in sizes:
            continue  # One number, whatever it was made of.
        if isinstance(part, PackedSequence):
            turn = _unpacked(part, origins, sizes)
            part = part.data
        else:
            turn = _time_first(origins.axes_of(part), sizes)
        if turn is not None and part.is_floating_point():
            return part, turn
    return None, lambda tensor: tensor


def _time_first(axes: Axes, sizes: set[tuple[int, int]]) -> Turn | None:
    """What turns a tensor with these axes, or None where they do not have all timesteps and sequences."""
    factors = axes.factors
    times = [n for n, factor in enumerate(factors) if factor.kind == "time"]
    batches = [n for n, factor in enumerate(factors) if factor.kind == "batch"]
    if len(times) > 1 or len(batches) > 1 or (not times and axes.at != 0):
        return None
    if any(factors[n].start for n in times):
        return None
    steps, batch = (factors[own[0]].size if own else 1 for own in (times, batches))
    if (steps, batch) not in sizes:
        return None
    order = [*times, *batches, *(n for n in range(len(factors)) if n not in (*times, *batches))]
    shape = [factor.size for factor in factors]

    def turn(tensor: Tensor) -> Tensor:
        return tensor.reshape(shape).permute(order).reshape(steps, batch, -1)

    return turn


def _unpacked(part: PackedSequence, origins: Origins, sizes: set[tuple[int, int]]) -> Turn | None:
    """What pads packed data, or None where it is not of all timesteps and sequences of a layer."""
    axes = origins.axes_of(part.data)
    if (len(part.batch_sizes), int(part.batch_sizes[0])) not in sizes or not axes.axes:
        return None
    if [factor.kind for factor in axes.axes[0]] != ["packed"]:
        return None

    def turn(data: Tensor) -> Tensor:
        whole = PackedSequence(data.reshape(len(data), -1), *part[1:])
        padded: Tensor = pad_packed_sequence(whole)[0]
        return padded

    return turn

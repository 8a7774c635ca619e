"""Whether a loss compares a model's output with the model's own input, and of which timestep."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import Any

from torch import Tensor

from lstmtui.capture.axes import Factor
from lstmtui.capture.origins.origins import Origins

MOST_AHEAD = 4
"""So many timesteps ahead a target is looked for in the input."""
_MOST_NODES = 1_000


def target_offset(loss: Tensor, output: Tensor, origins: Origins, inputs: Sequence[Tensor]) -> int | None:
    """k where the loss compares y at t with x of t + k, throughout and for no other k; None elsewhere.

    That is read off the graph, in which `nll_loss`, `mse_loss` and the like keep their target.

    Args:
        loss: the scalar.
        output: y, where the search ends.
        origins: says what the axes of a tensor mean.
        inputs: what the model was called with.
    """
    for node in _nodes(loss.grad_fn, output.grad_fn):
        target = getattr(node, "_saved_target", None)
        if not isinstance(target, Tensor):
            continue
        axes = origins.axes_of_end(node.next_functions[0])
        laid_out = None if axes is None else _laid_out(target, axes.factors)
        if laid_out is None:
            continue
        rows, start = laid_out
        for tensor in inputs:
            offsets = set(_offsets(rows, start, tensor, getattr(node, "_saved_ignore_index", None)))
            if len(offsets) == 1:
                return offsets.pop()
    return None


def _offsets(rows: Tensor, start: int, tensor: Tensor, ignored: int | None) -> Iterator[int]:
    """Every k for which all rows of the target are those of the input k timesteps on.

    Args:
        rows: (T', B, …), the target.
        start: the timestep of the first.
        tensor: one of the model's inputs.
        ignored: what stands where there is no target.
    """
    for x in (tensor, tensor.transpose(0, 1)):
        if x.shape[1] != rows.shape[1] or len(x) < start + len(rows):
            continue
        if x.shape[2:] != rows.shape[2:] or x.is_floating_point() != rows.is_floating_point():
            continue
        for k in range(-1, MOST_AHEAD + 1):
            first, last = max(0, start + k), min(len(x), start + k + len(rows))
            if last - first < max(2, len(rows) / 2):
                continue
            own = rows[first - start - k : last - start - k]
            is_same = own == x[first:last].to(own.device)
            if ignored is not None and not own.is_floating_point():
                is_same = is_same[own != ignored]
            if is_same.numel() > 1 and bool(is_same.all()):
                yield k


def _laid_out(target: Tensor, factors: Sequence[Factor]) -> tuple[Tensor, int] | None:
    """The target as (T, B, …) and the timestep of its first row; None where that cannot be told."""
    if sorted(factor.kind for factor in factors if factor.kind) != ["batch", "time"]:
        return None
    if target.numel() != prod(factor.size for factor in factors):
        factors = [factor for factor in factors if factor.kind]  # of classes there is the number alone
    shape, kinds = [factor.size for factor in factors], [factor.kind for factor in factors]
    if target.numel() != prod(shape):
        return None
    order = [kinds.index("time"), kinds.index("batch")]
    rest = [n for n in range(len(shape)) if n not in order]
    return target.reshape(shape).permute(*order, *rest), factors[order[0]].start


def _nodes(first: Any, last: Any) -> Iterator[Any]:
    """The operations of a graph from one back to another."""
    seen: set[Any] = set()
    waiting = [first]
    while waiting and len(seen) < _MOST_NODES:
        node = waiting.pop()
        if node is None or node in seen or node is last:
            continue
        seen.add(node)
        yield node
        waiting += [source for source, _ in node.next_functions]

"""Which axes of x are time and sequences, inferred from how the first recurrent layer is called."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from lstmtui.capture.laws.calls import SeenCall
from lstmtui.capture.laws.inputs import Inputs, Leaf
from lstmtui.capture.modules.arguments import tensors_in
from lstmtui.errors import UserError
from lstmtui.models.factory import takes_batch_first


def inputs_of(
    model: Any,
    x: Any,
    lengths: Tensor | None,
    state: Any,
    calls: list[SeenCall],
    batch_first: bool | None,
) -> Inputs:
    """The input with its axes.

    Args:
        model: what is called.
        x: as it takes it.
        lengths: int (B,), or None.
        state: to begin from, or None.
        calls: the recurrent calls of one run on x.
        batch_first: whether x is (B, T, …); None: told by the calls.

    Raises:
        UserError: there is no tensor with timesteps in it.
    """
    tensors = [tensor for tensor in tensors_in(x) if isinstance(tensor, Tensor)]
    main = next((t for t in tensors if t.dim() >= 2), next((t for t in tensors if t.dim() == 1), None))
    if main is None:
        raise UserError("x: there is no tensor of timesteps in it")
    time, batch = _axes(model, main, lengths, calls, batch_first)
    steps = main.shape[time]
    count = 1 if batch is None else main.shape[batch]
    if lengths is not None and lengths.numel() != count:
        raise UserError(f"lengths: expected ({count},), one for each sequence; found {tuple(lengths.shape)}")
    leaves = tuple(
        Leaf(time, batch) if tensor is main else _leaf(tensor, time, batch, steps, count)
        for tensor in tensors
    )
    return Inputs(x, leaves, steps, count, lengths, state)


def _axes(
    model: Any, main: Tensor, lengths: Tensor | None, calls: list[SeenCall], batch_first: bool | None
) -> tuple[int, int | None]:
    """(axis of time, axis of sequences or None) of the tensor that is read."""
    if main.dim() == 1:
        return 0, None
    first = calls[0] if calls else None
    is_unbatched = first is not None and not first.is_batched
    if main.dim() == 2 and main.is_floating_point() and batch_first is None and first is not None:
        is_single = first.batch == 1 and 1 not in main.shape
        if is_unbatched or is_single:
            return 0, None
    if batch_first is None:
        batch_first = _is_batch_first(model, main, lengths, first)
    return (1, 0) if batch_first else (0, 1)


def _is_batch_first(model: Any, main: Tensor, lengths: Tensor | None, first: SeenCall | None) -> bool:
    sizes = tuple(main.shape[:2])
    if lengths is not None and (lengths.numel() in sizes) and sizes[0] != sizes[1]:
        return sizes[0] == lengths.numel()
    tells = first is not None and (first.is_cell or first.steps == 1 or first.steps in sizes)
    if first is not None and tells and sizes[0] != sizes[1] and first.batch in sizes:
        return sizes[0] == first.batch
    return isinstance(model, nn.Module) and takes_batch_first(model)


def _leaf(tensor: Tensor, time: int, batch: int | None, steps: int, count: int) -> Leaf:
    """Another tensor beside the one that is read: of the same timesteps, of others, or of whole sequences."""
    is_mask = tensor.dtype == torch.bool or bool(((tensor == 0) | (tensor == 1)).all())
    if batch is None:
        return Leaf(0 if tensor.dim() and len(tensor) == steps else None, None, is_mask)
    if tensor.dim() >= 2 and tensor.shape[batch] == count:
        is_sequence = tensor.shape[time] == steps or tensor.dim() > 2 or not tensor.is_floating_point()
        return Leaf(time if is_sequence else None, batch, is_mask)
    if tensor.dim() >= 1 and len(tensor) == count:
        return Leaf(None, 0, is_mask or not tensor.is_floating_point())
    return Leaf(0 if tensor.dim() == 1 and len(tensor) == steps else None, None, is_mask)

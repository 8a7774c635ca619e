"""Parity: how far the recorded outputs are from those of the stock fused module."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from lstmtui.capture.devices import where_float64_is
from lstmtui.capture.recording import Recording
from lstmtui.cells.layout import Layout
from lstmtui.models.stock import stock_twin
from lstmtui.models.unroll import States, hx_of


def kernel_gap(recordings: Iterable[Recording]) -> float | None:
    """max |Δ| between h by the equations and h of the stock kernels that ran each layer and direction.

    None where one of them was run by its equations alone.
    """
    gaps = [recording.gap for recording in recordings]
    measured = [gap for gap in gaps if gap is not None]
    return float(torch.stack(measured).max()) if measured and len(measured) == len(gaps) else None


def parity(
    layout: Layout,
    parameters: Mapping[str, Tensor],
    x: Tensor,
    states: States,
    lengths: Tensor | None,
    output: Tensor,
) -> float | None:
    """max |Δ| between `output` and that of the stock fused module on the same input.

    Args:
        layout: the sizes.
        parameters: by full name.
        x: (T, B, input).
        states: the initial h, or h and c, each (layers·directions, B, units).
        lengths: int (B,), or None.
        output: (T, B, directions·P).

    Returns:
        The largest difference; two NaN, or two equal infinities, differ by 0, and a number and a NaN by
        NaN. None where PyTorch has no such module, or none for this dtype on this device.
    """
    twin = stock_twin(layout, parameters)
    if twin is None:
        return None
    hx = hx_of(states)
    try:
        with torch.no_grad(), warnings.catch_warnings():
            # Which kernel PyTorch picks for the twin is no concern of whoever records the module.
            warnings.simplefilter("ignore")
            if lengths is None:
                stock = twin(x, hx)[0]
            else:
                packed = pack_padded_sequence(x, lengths.cpu(), enforce_sorted=False)
                stock, _ = pad_packed_sequence(twin(packed, hx)[0], total_length=len(x))
    except (RuntimeError, NotImplementedError):
        return None
    return largest_gap(output.detach(), stock)


def largest_gap(output: Tensor, expected: Tensor) -> float:
    """max |Δ| of two tensors; equal infinities and two NaN differ by 0, a NaN and a number by NaN."""
    ours, theirs = (where_float64_is(tensor).double() for tensor in (output, expected))
    same = (ours == theirs) | (ours.isnan() & theirs.isnan())
    return float(torch.where(same, 0.0, (ours - theirs).abs()).max())

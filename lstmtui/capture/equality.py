"""Whether two tensors hold the same numbers; on two devices, where PyTorch compares nothing, they do not."""

from __future__ import annotations

import torch
from torch import Tensor


def comparable(a: Tensor, b: Tensor) -> bool:
    """Whether they have the same shape, dtype and device."""
    return (a.shape, a.dtype, a.device) == (b.shape, b.dtype, b.device)


def equal(a: Tensor, b: Tensor) -> bool:
    """Whether all values are equal; NaN equals nothing."""
    return comparable(a, b) and torch.equal(a, b)


def same(a: Tensor, b: Tensor) -> bool:
    """Whether all values are equal, NaN included."""
    return comparable(a, b) and (torch.equal(a, b) or bool(same_each(a, b).all()))


def same_each(a: Tensor, b: Tensor) -> Tensor:
    """Which values are equal, NaN included."""
    return (a == b) | (a.isnan() & b.isnan())

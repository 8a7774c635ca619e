"""Whether all numbers are finite, at the price of a sum."""

from __future__ import annotations

from math import isfinite

import torch
from torch import Tensor


def finite(*tensors: Tensor) -> bool:
    """Whether every number is finite: their sum then is, unless it overflows, and the ends are."""
    if isfinite(total_of(*tensors).item()):
        return True
    ends = torch.stack([end for t in tensors if t.numel() for end in t.detach().aminmax()])
    return bool(ends.isfinite().all())


def total_of(*tensors: Tensor) -> Tensor:
    """The sum of all numbers in tensors of one dtype."""
    return torch.stack([t.detach().sum() for t in tensors]).sum()

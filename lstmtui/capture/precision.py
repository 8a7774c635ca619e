"""The dtype a recurrent module really computes in, inside and outside of autocast."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch
from torch import Tensor


def computed_in(x: Tensor) -> torch.dtype:
    """The dtype of the gates of a module that is called with `x`: that of x, or autocast's where it acts."""
    kind = x.device.type
    acts = x.dtype in (torch.float32, torch.float16, torch.bfloat16)
    return torch.get_autocast_dtype(kind) if acts and torch.is_autocast_enabled(kind) else x.dtype


def cast(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """The tensor in a dtype, in the graph; as it is where autocast does not act on it."""
    return tensor.to(dtype) if tensor.is_floating_point() else tensor


def full_precision(x: Tensor) -> AbstractContextManager[object]:
    """Within this context autocast is off: everything has its dtype already."""
    return torch.autocast(x.device.type, enabled=False)

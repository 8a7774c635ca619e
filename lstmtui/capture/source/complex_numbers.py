"""Complex numbers, shown as their real and their imaginary parts."""

from __future__ import annotations

import torch
from torch import Tensor


def real_parts(tensor: Tensor) -> Tensor:
    """A complex tensor as (…, 2), its real and its imaginary parts; any other as it is."""
    return torch.view_as_real(tensor.resolve_conj()) if tensor.is_complex() else tensor

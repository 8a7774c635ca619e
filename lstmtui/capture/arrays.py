"""From tensors on a device to numpy arrays."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lstmtui.trace.trace import Array


def zeros_of(tensor: Tensor) -> Array:
    """Zeros in the shape and dtype that :func:`numpy_of` gives; memory that nobody reads is not taken."""
    return np.zeros(tuple(tensor.shape), np.float64 if tensor.dtype == torch.float64 else np.float32)


def numpy_of(tensor: Tensor) -> Array:
    """A CPU copy or view; half precision becomes float32, which holds it exactly."""
    tensor = tensor.detach()
    if tensor.dtype in (torch.bfloat16, torch.float16):
        tensor = tensor.float()
    array: Array = tensor.numpy() if tensor.device.type == "cpu" else tensor.cpu().numpy()
    return np.ascontiguousarray(array) if array.ndim else array

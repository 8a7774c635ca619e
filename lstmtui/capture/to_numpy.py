"""From tensors on a device to numpy arrays."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lstmtui.arrays import Array
from lstmtui.capture.stores.host_copies import on_host


def zeros_of(tensor: Tensor) -> Array:
    """Zeros in the shape and dtype that :func:`numpy_of` gives; pages that are never read take no memory."""
    return np.zeros(tuple(tensor.shape), np.float64 if tensor.dtype == torch.float64 else np.float32)


def numpy_of(tensor: Tensor) -> Array:
    """A CPU copy or view; half precision becomes float32, which holds it exactly."""
    array: Array = on_host(widened(tensor)).numpy()
    return np.ascontiguousarray(array) if array.ndim else array


def own_array(tensor: Tensor) -> Array:
    """A CPU copy, out of reach of who changes the tensor."""
    array = numpy_of(tensor)
    return array.copy() if tensor.device.type == "cpu" else array


def widened(tensor: Tensor) -> Tensor:
    """Out of the graph, in a dtype that numpy has."""
    tensor = tensor.detach()
    return tensor.float() if tensor.dtype in (torch.bfloat16, torch.float16) else tensor

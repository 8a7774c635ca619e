"""From tensors on a device to numpy arrays."""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping

import numpy as np
import torch
from torch import Tensor

from lstmtui.arrays import Array


def zeros_of(tensor: Tensor) -> Array:
    """Zeros in the shape and dtype that :func:`numpy_of` gives; memory that nobody reads is not taken."""
    return np.zeros(tuple(tensor.shape), np.float64 if tensor.dtype == torch.float64 else np.float32)


def numpy_of(tensor: Tensor) -> Array:
    """A CPU copy or view; half precision becomes float32, which holds it exactly."""
    tensor = _widened(tensor)
    array: Array = tensor.numpy() if tensor.device.type == "cpu" else tensor.cpu().numpy()
    return np.ascontiguousarray(array) if array.ndim else array


def fetch(stores: Iterable[MutableMapping[str, Tensor]]) -> None:
    """Replace what stands in the memory of a GPU by copies on the host.

    The copies go into page-locked memory one behind the other, without a wait in between, as said in
    https://docs.pytorch.org/docs/stable/notes/cuda.html#use-pinned-memory-buffers.
    """
    devices = set()
    for store in stores:
        for name, tensor in store.items():
            if tensor.device.type != "cuda":
                continue
            source = _widened(tensor).contiguous()
            host = torch.empty(source.shape, dtype=source.dtype, device="cpu", pin_memory=True)
            store[name] = host.copy_(source, non_blocking=True)
            devices.add(source.device)
    for device in devices:
        torch.cuda.synchronize(device)


def _widened(tensor: Tensor) -> Tensor:
    """Out of the graph, in a dtype that numpy has."""
    tensor = tensor.detach()
    return tensor.float() if tensor.dtype in (torch.bfloat16, torch.float16) else tensor

"""Arrays of a run on a GPU, which has less memory than they may take: they leave it as they are made."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from lstmtui.capture.stores.host_copies import Arriving, copy_to_host, empty_on_host
from lstmtui.capture.stores.store import Store
from lstmtui.capture.to_numpy import widened


class HostStore(Store):
    """Every array, in memory of the host; half precision becomes float32, which holds it exactly."""

    hands_back = False

    def __init__(self) -> None:
        super().__init__()
        self._like: Tensor | None = None

    def put(self, quantity: str, start: int, values: Tensor, steps: int) -> None:
        """Copy a segment to the host."""
        source = widened(values).contiguous()
        if quantity not in self:
            self[quantity] = empty_on_host(source, steps)
        copy_to_host(source, self[quantity][start : start + len(source)])
        self._like = values.new_empty(0)

    def parts(self, start: int, stop: int) -> dict[str, Tensor]:
        """None: parts are computed again, or kept by whoever made them."""
        return {}

    def _whole(self, quantity: str) -> Tensor:
        assert self._like is not None
        return self[quantity].to(self._like, copy=True)


class PassingStore(Store):
    """One array alone, on the device, until it is handed over; other arrays are not kept.

    Args:
        quantity: whose array it is.
        arriving: arrays by quantity that are sent to the host.
    """

    hands_back = False

    def __init__(self, quantity: str, arriving: Mapping[str, Arriving] | None = None) -> None:
        super().__init__()
        self._quantity, self._arriving = quantity, arriving or {}

    def put(self, quantity: str, start: int, values: Tensor, steps: int) -> None:
        """Keep a segment of the one array."""
        if quantity in self._arriving:
            self._arriving[quantity].send(start, values)
        if quantity != self._quantity:
            return
        if quantity not in self:
            self[quantity] = torch.empty((steps, *values.shape[1:]), dtype=values.dtype, device=values.device)
        self[quantity][start : start + len(values)] = values

    def parts(self, start: int, stop: int) -> dict[str, Tensor]:
        """None."""
        return {}

    def _whole(self, quantity: str) -> Tensor:
        return self.pop(quantity)

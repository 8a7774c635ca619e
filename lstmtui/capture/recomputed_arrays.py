"""A layer on a GPU whose arrays are computed when they are first read.

All of them together are many times larger than what they follow from, and take longer to leave the GPU than
to make. What they follow from is kept on the host: x, the states before, the parameters, and the gradients
that came back. The first look at any of them runs the layer once more, in as much memory as is free then.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from threading import Lock

import torch
from torch import Tensor

from lstmtui.capture.products import Precision
from lstmtui.capture.stores.host_copies import Arriving, on_host
from lstmtui.capture.stores.host_store import HostStore
from lstmtui.errors import UserError
from lstmtui.models.torch_compat import version_of
from lstmtui.models.unroll import States

_looking = Lock()
"""One layer at a time, so that no two share what memory a GPU has left."""


class RecomputedArrays(ABC):
    """Computes the values and derivatives of a recording again from what they follow from.

    Args:
        valid: which timesteps are valid, (T, B, 1); None: all.
        parameters: by base name.
        x: (T, B, input), in the order the cell sees it.
        states: h, or h and c, before the run.
    """

    def __init__(
        self, valid: Tensor | None, parameters: Mapping[str, Tensor], x: Tensor, states: States
    ) -> None:
        self.precision: Precision = ""
        self.x = Arriving(len(x))
        self.parameters = {name: _arriving(p) for name, p in parameters.items()}
        self.d_output: Arriving | None = None
        self._device = x.device
        self._states = tuple(_kept(s) for s in states)
        self._valid = None if valid is None else _kept(valid)
        self._d_states: tuple[Tensor | None, ...] | None = None
        self._received: Tensor | None = None
        self._stores: tuple[HostStore, HostStore] | None = None

    @property
    def is_reached(self) -> bool:
        """Whether a gradient has come back."""
        return self._d_states is not None

    def reach(self, d_output: Tensor | None, d_states: tuple[Tensor | None, ...]) -> None:
        """Take the gradients by the output and by the last states, which have come back; None is 0."""
        self._received = d_output
        self.d_output = None if d_output is None else _arriving(d_output)
        self._d_states = tuple(None if d is None else _kept(d) for d in d_states)

    def forget_derivatives(self) -> None:
        """Forget that a gradient has come back."""
        self.d_output = self._received = self._d_states = None

    def received(self, tensor: Tensor | None) -> bool:
        """Whether this is the gradient by the output that has come back."""
        mine = self._received
        if mine is None or tensor is None or (mine.shape, mine.stride()) != (tensor.shape, tensor.stride()):
            return False
        return mine.data_ptr() == tensor.data_ptr() and version_of(mine) == version_of(tensor)

    def settle(self) -> None:
        """Wait until every copy has arrived, and release the memory of the device."""
        for arriving in (self.x, self.d_output, *self.parameters.values()):
            if arriving is not None:
                arriving.tensor()
        self._received = None

    def values(self, quantity: str) -> Tensor:
        """An array (T, B, units) in the order the cell saw time, on the host.

        Raises:
            UserError: the device has no memory left for a single timestep.
        """
        return self.x.tensor() if quantity == "x" else self._worked_out()[0][quantity]

    def derivatives(self, quantity: str) -> Tensor:
        """The total derivative of a quantity, in the same layout and with the same error."""
        return self._worked_out()[1][quantity]

    def _worked_out(self) -> tuple[HostStore, HostStore]:
        with _looking:
            if self._stores is None:
                try:
                    self._stores = self._run()
                except torch.OutOfMemoryError as error:
                    raise UserError(
                        f"{self._device}: there is not enough memory to compute what this layer did; free "
                        "some and look again"
                    ) from error
            return self._stores

    @abstractmethod
    def _run(self) -> tuple[HostStore, HostStore]:
        """Values and total derivatives, worked out once more."""


def _arriving(tensor: Tensor) -> Arriving:
    arriving = Arriving(len(tensor))
    arriving.send(0, tensor)
    return arriving


def _kept(tensor: Tensor) -> Tensor:
    """A copy on the host that nobody else can change."""
    tensor = tensor.detach()
    return tensor.clone() if tensor.device.type == "cpu" else on_host(tensor)

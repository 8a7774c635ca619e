"""Where a recording keeps its arrays: whole in memory, or in files that are written as the run goes."""

from __future__ import annotations

import torch
from torch import Tensor

from lstmtui.models.torch_compat import version_of


class Store(dict[str, Tensor]):
    """Arrays (T, B, units) by quantity, in the order the cell sees time, given a segment at a time."""

    hands_back = True
    """Whether `parts` gives what was put."""
    _contiguous: Tensor | None = None
    _version = 0

    def put(self, quantity: str, start: int, values: Tensor, steps: int) -> None:
        """Keep a segment.

        Args:
            quantity: whose values they are.
            start: the timestep of the first.
            values: (timesteps of the segment, B, units); where it is the whole run this very tensor is kept.
            steps: T, the timesteps of the whole run.
        """
        if start == 0 and len(values) == steps:
            self[quantity] = values
            return
        if quantity not in self:
            self[quantity] = values.new_zeros((steps, *values.shape[1:]))
        self[quantity][start : start + len(values)] = values

    def parts(self, start: int, stop: int) -> dict[str, Tensor]:
        """A segment of every array; empty where it is cheaper to work them out again."""
        return {quantity: values[start:stop] for quantity, values in self.items()}

    def whole(self, quantity: str) -> Tensor:
        """An array as a tensor of its own, which may be changed."""
        tensor = self._whole(quantity)
        if quantity == "h":
            # It is kept, so that no other tensor can come to stand in the same memory.
            self._contiguous, self._version = tensor, version_of(tensor)
        return tensor

    def gave(self, tensor: Tensor) -> bool:
        """Whether this is the h that :meth:`whole` gave, as it was then and in the same order."""
        mine = self._contiguous
        if mine is None or (mine.shape, mine.stride()) != (tensor.shape, tensor.stride()):
            return False
        return (mine.data_ptr(), self._version) == (tensor.data_ptr(), version_of(tensor))

    def _whole(self, quantity: str) -> Tensor:
        return self[quantity].clone(memory_format=torch.contiguous_format)

"""Copies of what a name is bound to in round after round, side by side in memory as they are made."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import count
from typing import NamedTuple

import torch
from torch import Tensor

_MOST = 1 << 23
"""Numbers that memory is taken for at once; pages that are never written to take none."""


class _Block(NamedTuple):
    whole: Tensor
    shape: torch.Size
    dtype: torch.dtype
    following: count[int]
    """The number of the row that is free."""


class Rows:
    """Makes copies of tensors, on the CPU those of one place behind each other.

    Attributes:
        expected: how many one place may have; 0: that is not known, and each copy is by itself.
    """

    def __init__(self) -> None:
        self.expected = 0
        self._blocks: dict[Hashable, _Block] = {}

    def copy(self, place: Hashable, tensor: Tensor) -> Tensor:
        """A copy of a tensor, behind the one that was made last for this place.

        Args:
            place: where a name is bound.
            tensor: what it is bound to.
        """
        if self.expected < 2 or not tensor.is_cpu or torch.is_inference_mode_enabled():
            return tensor.clone()
        block = self._blocks.get(place)
        if block is not None:
            at = next(block.following)
            if at < len(block.whole) and block.shape == tensor.shape and block.dtype == tensor.dtype:
                return block.whole[at].copy_(tensor)
        rows = min(self.expected, _MOST // max(tensor.numel(), 1))
        # Where algorithms are to be deterministic, memory is filled when it is taken.
        if rows < 2 or tensor.is_quantized or torch.are_deterministic_algorithms_enabled():
            return tensor.clone()
        whole = tensor.new_empty((rows, *tensor.shape))
        self._blocks[place] = _Block(whole, tensor.shape, tensor.dtype, count(1))
        return whole[0].copy_(tensor)


def block_of(rows: Sequence[Tensor]) -> Tensor | None:
    """The rows in one tensor, if that is how they are in memory, in order; None where they are not.

    Neither is it where they are less than half of what memory was taken for, which would stay taken.
    """
    first = rows[0]
    size, memory = first.numel() * first.itemsize, first.untyped_storage()
    begin, end = memory.data_ptr(), memory.data_ptr() + len(rows) * size
    # No other memory is within that of the first.
    are_rows = size > 0 and first.is_contiguous() and end <= begin + memory.nbytes() <= end + len(rows) * size
    if not are_rows or [row.data_ptr() for row in rows] != [*range(begin, end, size)]:
        return None
    return first.as_strided((len(rows), *first.shape), (first.numel(), *first.stride()))

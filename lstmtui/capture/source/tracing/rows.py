"""Copies of what a name is bound to in round after round, side by side in memory as they are made."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from lstmtui.models.torch_compat import copy_each

_MOST = 1 << 23
"""Numbers that memory is taken for at once; pages that are never written to take none."""
_TOGETHER = 256
"""Rows that are told apart at once."""


class _Block(NamedTuple):
    free: Iterator[Tensor]
    """The rows that hold nothing yet."""
    shape: torch.Size
    dtype: torch.dtype
    size: int
    """How many numbers each has."""


class Rows:
    """Memory for copies of tensors, on the CPU those of one place behind each other.

    Attributes:
        expected: how many one place may have; 0: that is not known, and each copy is by itself.
        numbers: how many have been copied.
    """

    def __init__(self) -> None:
        self.expected = self.numbers = 0
        self._blocks: dict[Hashable, _Block] = {}

    def copy(self, placed: Sequence[tuple[Hashable, Tensor]]) -> list[Tensor]:
        """Copies of tensors, each behind the one that was made last for its place.

        Args:
            placed: where a name is bound, and what it is bound to.
        """
        is_by_itself = self.expected < 2 or torch.is_inference_mode_enabled()
        copies, rows, tensors = [], [], []
        for place, tensor in placed:
            row = None if is_by_itself else self._row(place, tensor)
            if row is None:
                copies.append(tensor.clone())
                self.numbers += tensor.numel()
            else:
                copies.append(row)
                rows.append(row)
                tensors.append(tensor)
        if rows:
            copy_each(rows, tensors)
        return copies

    def _row(self, place: Hashable, tensor: Tensor) -> Tensor | None:
        """The memory for a copy; None where it is to be by itself."""
        block = self._blocks.get(place)
        if block is not None and block.dtype is tensor.dtype and block.shape == tensor.shape:
            row = next(block.free, None)
            if row is not None:
                self.numbers += block.size
                return row
        size = tensor.numel()
        rows = min(self.expected, _MOST // max(size, 1))
        # Where algorithms are to be deterministic, memory is filled when it is taken.
        is_deterministic = torch.are_deterministic_algorithms_enabled()
        if rows < 2 or not tensor.is_cpu or tensor.is_quantized or is_deterministic:
            return None
        free = _rows_of(tensor.new_empty((rows, *tensor.shape)))
        self._blocks[place] = _Block(free, tensor.shape, tensor.dtype, size)
        self.numbers += size
        return next(free)


def _rows_of(whole: Tensor) -> Iterator[Tensor]:
    for part in torch.split(whole, _TOGETHER):
        yield from part.unbind()


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

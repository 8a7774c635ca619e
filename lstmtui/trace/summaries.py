"""Norms and extents, stored with the arrays so that a whole run need not be read to draw it."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

from lstmtui.arrays import Array, RootMeanSquare, norm

_BLOCK = 1 << 18
"""Values that are taken together."""

_QUANTITY = re.compile(r"\d+/(forward|backward)/\w+|d?y")
_STATE = re.compile(r"\d+/(forward|backward)/d?[hc]")


class Extent(NamedTuple):
    """The smallest and the largest finite value, and the root mean square of them; 0 where none is finite."""

    low: float
    high: float
    rms: float


class RunningExtent:
    """The extent of all blocks that were added."""

    def __init__(self) -> None:
        self.stale = False
        """Whether a block was added in place of another, so that the extent has to be taken again."""
        self._low, self._high, self._rms = np.inf, -np.inf, RootMeanSquare()

    def add(self, block: Array) -> None:
        """Take in a block of values of any shape."""
        if not block.size:
            return
        low, high = block.min(), block.max()
        if not (np.isfinite(low) and np.isfinite(high)):
            block = block[np.isfinite(block)]
            if not block.size:
                return
            low, high = block.min(), block.max()
        self._rms.add(block)
        self._low, self._high = min(self._low, float(low)), max(self._high, float(high))

    @property
    def result(self) -> Extent:
        """The extent so far."""
        if self._low > self._high:
            return Extent(0.0, 0.0, 0.0)
        return Extent(float(self._low), float(self._high), self._rms.result)


def has_extent(key: str) -> bool:
    """Whether a trace keeps the extent of this array."""
    return _QUANTITY.fullmatch(key) is not None


def has_norms(key: str) -> bool:
    """Whether a trace keeps the norms of this array: those of the states and of their derivatives."""
    return _STATE.fullmatch(key) is not None


def norms_of(values: Array) -> Array:
    """The L2 norm over the last axis in float64, a block of timesteps at a time."""
    result = np.empty(values.shape[:-1], dtype=np.float64)
    rows = _rows(values)
    for start in range(0, len(values), rows):
        result[start : start + rows] = norm(values[start : start + rows])
    return result


def extent_of(values: Array) -> Extent:
    """The extent of an array of shape (T, …), a block of timesteps at a time."""
    extent, rows = RunningExtent(), _rows(values)
    for start in range(0, len(values), rows):
        extent.add(np.asarray(values[start : start + rows]))
    return extent.result


def _rows(values: Array) -> int:
    """Timesteps that are taken together."""
    return max(1, _BLOCK // max(1, int(np.prod(values.shape[1:], dtype=object))))

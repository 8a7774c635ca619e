"""Numpy arrays as everybody uses them: their types, their norm, and what must not be written into."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
"""An array of any dtype and shape."""
Vector = npt.NDArray[np.float64]
"""Numbers in float64 that are computed with, of shape (units,)."""


def read_only(array: Array) -> Array:
    """The same numbers as an array that cannot be written into; the array itself still can."""
    if not isinstance(array, np.ndarray) or not array.flags.writeable:
        return array
    view = array.view()
    view.flags.writeable = False
    return view


_FEWEST, _MOST = 1e-280, 1e300
"""Between these a sum of squares has all its digits: no square that counts was too small or too large."""


def norm(values: Array) -> Array:
    """The L2 norm over the last axis in float64, right also for numbers whose squares are 0 or infinite.

    For one vector and for each of many it is the same to the last bit.
    """
    with np.errstate(all="ignore"):
        wide = np.ascontiguousarray(values, np.float64)
        # Several times as fast as np.linalg.norm with an axis.
        squares = np.asarray(np.einsum("...i,...i->...", wide, wide))
        result = np.sqrt(squares)
        extreme = ~((squares >= _FEWEST) & (squares <= _MOST))
        if extreme.any():
            result = np.where(extreme, _scaled_norm(wide), result)
    return np.asarray(result)


def _scaled_norm(values: Array) -> Array:
    largest = np.abs(values).max(-1, initial=0.0)
    # Of infinities and NaN, as of 0, the largest is the norm.
    scale = np.where(np.isfinite(largest) & (largest > 0), largest, 1.0)
    scaled = values / scale[..., None]
    sizes = np.sqrt(np.einsum("...i,...i->...", scaled, scaled)) * scale
    return np.asarray(np.where(np.isfinite(largest), sizes, largest))


class RootMeanSquare:
    """The root mean square of all added blocks; right for numbers of any size, as `norm` is."""

    def __init__(self) -> None:
        self._norm, self._count = 0.0, 0

    def add(self, values: Array) -> None:
        """Take in a block of finite values of any shape."""
        self._norm = math.hypot(self._norm, float(norm(values.ravel())))
        self._count += values.size

    @property
    def result(self) -> float:
        """The root mean square so far; 0 of nothing."""
        return self._norm / math.sqrt(max(1, self._count))


_LARGEST_HALF, _SMALLEST_HALF = 15, 2.0**-24
"""The power of two that the largest number is scaled below, and the smallest half there is."""


def halved(array: Array) -> tuple[Array, int]:
    """Floats in half precision, and the power of two they are scaled by."""
    sizes: Array = np.abs(array[np.isfinite(array)])
    shift = _LARGEST_HALF - int(np.frexp(sizes.max(initial=0.0))[1])
    with np.errstate(all="ignore"):
        halves = np.ldexp(array.astype(np.float64), shift).astype(np.float16)
    vanished = (halves == 0) & (array != 0)
    halves[vanished] = np.copysign(_SMALLEST_HALF, array[vanished])
    return halves, shift


def restored(halves: Array, shift: int, dtype: np.dtype[Any]) -> Array:
    """What `halved` gave, in its own dtype."""
    limits = np.finfo(dtype)
    with np.errstate(all="ignore"):
        values = np.ldexp(halves.astype(np.float64), -shift)
        # Rounding may have gone beyond the largest number there is.
        finite = np.clip(values, float(limits.min), float(limits.max))
        return np.where(np.isfinite(halves), finite, values).astype(dtype)


def as_drawn(array: Array) -> Array:
    """Numbers in the precision in which those that are only drawn travel, so that both ends draw the same."""
    return restored(*halved(array), array.dtype) if np.issubdtype(array.dtype, np.floating) else array

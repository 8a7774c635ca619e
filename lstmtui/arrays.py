"""Numpy arrays as everybody uses them: their types, and what must not be written into."""

from __future__ import annotations

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

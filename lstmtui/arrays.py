"""The types of numpy arrays that everybody uses."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
"""An array of any dtype and shape."""
Vector = npt.NDArray[np.float64]
"""Numbers in float64 that are computed with, of shape (units,)."""

"""The number of timesteps of each sequence in a layer, which may be fewer than in the whole run."""

from __future__ import annotations

import numpy as np

from lstmtui.arrays import Array
from lstmtui.trace import Trace


def lengths_of(trace: Trace, layer: int) -> Array:
    """The number of timesteps of each sequence in a layer, int (B,); 0 for one the layer has not seen."""
    own = trace.arrays.get(f"{layer}/lengths")
    return np.asarray(trace.lengths if own is None else own)

"""Channels brought to a common scale, together with how to get the raw numbers back."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lstmtui.arrays import Array


def normalize(values: Array, method: str, valid: Array | None = None) -> tuple[Array, Array, Array]:
    """Normalise each channel over time and batch.

    "standard" gives mean 0 and standard deviation 1, "minmax" the range 0 to 1, "none" the numbers as they
    are. Numbers that are not finite count for neither; a constant channel keeps its scale.

    Args:
        values: (T, B, I) float64.
        method: standard, minmax or none.
        valid: (T, B) bool, where a sequence has a timestep; None: everywhere.

    Returns:
        the normalised values, shift (I,) and scale (I,): values · scale + shift gives the raw numbers.
    """
    import numpy as np

    size = values.shape[2]
    shift, scale = np.zeros(size), np.ones(size)
    if method == "none":
        return values, shift, scale
    for channel in range(size):
        numbers = values[..., channel] if valid is None else values[..., channel][valid]
        numbers = numbers[np.isfinite(numbers)]
        if not numbers.size:
            continue
        with np.errstate(all="ignore"):
            low, high = numbers.min(), numbers.max()
            first, spread = (low, high - low) if method == "minmax" else (numbers.mean(), numbers.std())
        if np.isfinite(first) and low != high and np.isfinite(spread) and spread > 0:
            shift[channel], scale[channel] = first, spread
        elif np.isfinite(first):
            shift[channel] = first
    with np.errstate(all="ignore"):
        normalised = (values - shift) / scale
    if valid is not None:
        normalised[~valid] = 0
    return normalised, shift, scale

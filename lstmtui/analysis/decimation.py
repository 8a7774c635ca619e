"""A series reduced to what a plot of so many pixel columns can show, losing no extreme and no gap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NAN, POSITIVE_INFINITY, NEGATIVE_INFINITY = 252, 253, 254
"""Marks of what is not finite, larger than any level of a map."""
SEVERAL, ZERO, NEGATIVE = 249, 250, 251
"""Marks besides these: what a log axis has no place for, and several kinds in one character."""


@dataclass(frozen=True)
class Envelope:
    """The vertical extent of a series in each pixel column; NaN where it has none."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    has_value: NDArray[np.bool_]
    """Whether a value lies in the column, not just the line between two values."""
    joined: NDArray[np.bool_]
    """Whether the line continues from the column to the left."""


def classify(values: NDArray[np.floating], log: bool) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """The values that have a place on the axis, NaN instead of the others, and why those have none.

    The second array is 0 for a plotted value, else NAN, an infinity, ZERO or NEGATIVE.
    """
    plotted = np.asarray(values, np.float64)
    kinds = np.zeros(plotted.shape, np.uint8)
    placed = np.isfinite(plotted) & (plotted > 0) if log else np.isfinite(plotted)
    if not placed.all():
        where = np.flatnonzero(~placed)
        odd = plotted[where]
        kinds[where] = np.select(
            [np.isnan(odd), np.isposinf(odd), np.isneginf(odd), odd == 0],
            [NAN, POSITIVE_INFINITY, NEGATIVE_INFINITY, ZERO],
            NEGATIVE,
        )
        plotted = np.where(placed, plotted, np.nan)
    return plotted, kinds


def pixel_of(index: NDArray[np.int64], timesteps: int, pixels: int) -> NDArray[np.int64]:
    """The pixel column of timesteps: that in the middle of their share of the width."""
    return (2 * index + 1) * pixels // (2 * max(timesteps, 1))


def envelope(plotted: NDArray[np.float64], timesteps: int, pixels: int, *, log: bool = False) -> Envelope:
    """Reduce values (n,), NaN where there is nothing to plot, to `pixels` columns; never across a NaN.

    On a log axis the extents are log10 of the values, which are all positive.
    """
    low, high = np.full(pixels, np.nan), np.full(pixels, np.nan)
    has_value, broken = np.zeros(pixels, bool), np.zeros(pixels, bool)
    plotted = plotted[:timesteps]
    if plotted.size and pixels:
        starts, at = _shares(len(plotted), timesteps, pixels)
        if log and timesteps <= pixels:
            plotted = np.log10(plotted)
        gaps = np.flatnonzero(np.isnan(plotted))
        least, most = (np.fmin, np.fmax) if gaps.size else (np.minimum, np.maximum)
        low[at], high[at] = least.reduceat(plotted, starts), most.reduceat(plotted, starts)
        has_value[at] = np.isfinite(low[at])
        broken[pixel_of(gaps, timesteps, pixels)] = True
        if timesteps <= pixels:
            _fill(low, high, at, plotted)
        elif log:
            low, high = np.log10(low), np.log10(high)
    whole = np.isfinite(low) & ~broken
    joined = whole.copy()
    joined[1:] &= whole[:-1]
    joined[:1] = False
    return Envelope(low, high, has_value, joined)


def _shares(count: int, timesteps: int, pixels: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where each pixel column's values start among the first `count`, and which columns have any."""
    if timesteps <= pixels:
        index = np.arange(count)
        return index, pixel_of(index, timesteps, pixels)
    columns = np.arange(pixels)
    starts = -(-(2 * timesteps * columns - pixels) // (2 * pixels))
    starts = np.maximum(starts, 0)
    return starts[starts < count], columns[starts < count]


def mark_cells(kinds: NDArray[np.uint8], timesteps: int, cells: int) -> NDArray[np.uint8]:
    """The mark of each of `cells` characters from the kinds of the values, 0 where there is none."""
    marks, least = np.zeros(cells, np.uint8), np.full(cells, 255, np.uint8)
    where = np.flatnonzero(kinds)
    at = pixel_of(where, timesteps, cells)
    np.maximum.at(marks, at, kinds[where])
    np.minimum.at(least, at, kinds[where])
    marks[marks > least] = SEVERAL
    return marks


def _fill(
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    at: NDArray[np.int64],
    plotted: NDArray[np.float64],
) -> None:
    """Where there are fewer values than columns, the line between one value and the next."""
    columns = np.arange(at[0], at[-1] + 1)
    before = np.searchsorted(at, columns, side="right") - 1
    after = np.minimum(before + 1, len(at) - 1)
    share = (columns - at[before]) / np.maximum(at[after] - at[before], 1)
    line = plotted[before] * (1 - share) + plotted[after] * share
    exact = columns == at[before]
    line[exact] = plotted[before[exact]]
    low[columns], high[columns] = line, line

"""The vertical axis of a plot: its range, and where its labels stand."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lstmtui.cells.notation import ASCII, UNICODE
from lstmtui.tui.theme import Look

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Axis:
    """From `low` at the bottom to `high` at the top, both in log10 on a log axis."""

    low: float
    high: float
    log: bool = False
    shift: float = 0.0
    scale: float = 1.0
    """value · scale + shift is what a label of a linear axis says."""

    def row_of(self, values: NDArray[np.float64], rows: int) -> NDArray[np.int64]:
        """The row, 0 at the top, of each finite value among `rows`; beyond the range, the nearest."""
        # halved where high − low overflows
        scale = 1.0 if math.isfinite(self.high - self.low) else 0.5
        low, high = self.low * scale, self.high * scale
        with np.errstate(over="ignore"):  # numpy 1 says so of subnormal numbers, whose quotient is right
            share = (high - np.clip(values * scale, low, high)) / (high - low)
        return np.rint(share * (rows - 1)).astype(np.int64)

    def labels(self, rows: int, look: Look) -> dict[int, str]:
        """The labels by row: powers of ten on a log axis; else top, middle and bottom."""
        if rows <= 0:
            return {}
        if self.log:
            return self._powers(rows, look)
        notation = ASCII if look.ascii else UNICODE
        ticks = {rows - 1: self.low, 0: self.high}
        if rows % 2 and rows >= 5:
            ticks[rows // 2] = self.low / 2 + self.high / 2
        return {row: notation.number(value * self.scale + self.shift) for row, value in ticks.items()}

    def _powers(self, rows: int, look: Look) -> dict[int, str]:
        first, last = math.ceil(self.low), math.floor(self.high)
        step = max(1, math.ceil((last - first) / max(1, (rows - 1) // 2)))
        powers = np.arange(last, first - 1, -step)
        labels: dict[int, str] = {}
        for power, row in zip(powers.tolist(), self.row_of(powers.astype(float), rows).tolist(), strict=True):
            labels.setdefault(row, f"1e{power}" if look.ascii else "10" + str(power).translate(_SUPERSCRIPTS))
        return labels


def fit_axis(plotted: Iterable[NDArray[np.float64]], log: bool) -> Axis:
    """The axis that holds all finite values; on a log axis its ends are whole powers of ten."""
    ends = [(np.min(v[f]), np.max(v[f])) for v in plotted if (f := np.isfinite(v)).any()]
    bottom = min((float(e[0]) for e in ends), default=0.0)
    top = max((float(e[1]) for e in ends), default=0.0 if ends or log else 1.0)
    if log:
        bottom, top = math.floor(bottom), math.ceil(top)
    if not top > bottom:
        margin = 1.0 if log else max(abs(bottom), 1.0) / 2
        bottom, top = bottom - margin, bottom + margin
    return Axis(bottom, top, log)

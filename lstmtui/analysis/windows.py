"""What a panel shows: windows of quantities round the cursor, as small numpy arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from lstmtui.arrays import Array
from lstmtui.trace.keys import array_key
from lstmtui.view.query import query
from lstmtui.view.view import View

Binning = Literal["mean", "extreme"]


@dataclass(frozen=True, eq=False)
class Window:
    """A quantity of one sequence from `start` to before `stop`."""

    quantity: str
    start: int
    stop: int
    values: Array
    """(timesteps, rows): a row is one unit, or `units_per_row` neighbouring units binned."""
    units: int
    """How many units there are in all."""
    units_per_row: int
    valid: Array
    """bool (timesteps,): False past the end of a shorter sequence."""
    bound: Array | None = None
    """bool (timesteps,): False where recorded code did not bind the name; None: it always did."""


@dataclass(frozen=True)
class Page:
    """The timesteps that fit on a panel; pages follow one another without overlap."""

    start: int
    stop: int
    number: int
    count: int

    @classmethod
    def around(cls, t: int, width: int, steps: int) -> Page:
        """The page of `width` timesteps that holds t."""
        width = max(1, width)
        number = t // width
        return cls(number * width, min(steps, (number + 1) * width), number + 1, -(-steps // width))

    @property
    def text(self) -> str:
        """ "t 0–57" and, where there are more pages, which one this is."""
        end = f"t {self.start}–{self.stop - 1}"
        return end if self.count == 1 else f"{end}  page {self.number}/{self.count}"


@query(picture=True)
def window(
    view: View,
    quantity: str,
    start: int,
    stop: int,
    rows: int | None = None,
    binning: Binning = "extreme",
) -> Window:
    """A quantity of the selected layer, direction and sequence.

    Args:
        view: whose cursor says what is selected.
        quantity: any name `Trace.values` knows.
        start: the first timestep.
        stop: the timestep after the last.
        rows: how many rows there is room for; more units than that share rows. None: a row for each unit.
        binning: what units that share a row come to: their mean, or the one furthest from 0. A NaN wins.
    """
    cursor, trace = view.cursor, view.trace
    every = trace.values(quantity, cursor.layer, cursor.direction)
    values = np.asarray(every[start:stop, cursor.batch])
    if values.dtype.kind != "f":  # truths and integers have no −value of their own type
        values = values.astype(np.float64)
    key = array_key("bound/" + quantity, cursor.layer, cursor.direction)
    bound = None if key not in trace.arrays else np.asarray(trace.arrays[key][start:stop])
    units = values.shape[1]
    per_row = 1 if rows is None else -(-units // max(1, rows))
    valid = np.arange(start, start + len(values)) <= view.last_t
    return Window(quantity, start, stop, binned(values, per_row, binning), units, per_row, valid, bound)


@query("t")
def vector(view: View, quantity: str) -> Array:
    """A quantity at the cursor, shape (units,)."""
    cursor = view.cursor
    return np.asarray(view.trace.values(quantity, cursor.layer, cursor.direction)[cursor.t, cursor.batch])


@query()
def gradient_norms(view: View, quantity: str) -> Array:
    """‖∂L/∂quantity_t‖ over units for every t of the selected sequence, shape (T,)."""
    cursor = view.cursor
    return view.trace.norms("d" + quantity, cursor.layer, cursor.direction)[:, cursor.batch]


@query()
def extent(view: View, quantity: str) -> float:
    """The largest finite |value| over the whole run, for a scale that stays the same on every page."""
    reach = view.trace.extent(quantity, view.cursor.layer, view.cursor.direction)
    return max(abs(reach.low), abs(reach.high))


@query()
def color_limit(view: View, quantity: str) -> float:
    """Where a diverging map ends: three times the root mean square, or the largest |value| if that is less.

    A single unit that has run away would otherwise leave every other one dark.
    """
    reach = view.trace.extent(quantity, view.cursor.layer, view.cursor.direction)
    return min(extent(view, quantity), 3 * reach.rms) or 1.0


def binned(values: Array, per_row: int, binning: Binning) -> Array:
    """(timesteps, rows) of (timesteps, units); the last row may have fewer units."""
    if per_row == 1:
        return values
    starts = np.arange(0, values.shape[1], per_row)
    with np.errstate(all="ignore"):
        if binning == "mean":
            sizes = np.diff(starts, append=values.shape[1])
            return np.asarray(np.add.reduceat(values.astype(np.float64), starts, axis=1) / sizes)
        high = np.maximum.reduceat(values, starts, axis=1)
        low = np.minimum.reduceat(values, starts, axis=1)
        return np.asarray(np.where(-low > high, low, high))

"""What a panel shows: windows of quantities round the cursor, as small numpy arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from lstmtui.arrays import Array
from lstmtui.trace.keys import array_key
from lstmtui.view.query import query
from lstmtui.view.view import View

Binning = Literal["mean", "extreme"]
_BLOCK = 1 << 14
"""Timesteps that are read at once."""


@dataclass(frozen=True, eq=False)
class Window:
    """A quantity of one sequence from `start` to before `stop`."""

    quantity: str
    start: int
    stop: int
    values: Array
    """(columns, rows): a row is one unit, or `units_per_row` neighbouring units binned."""
    units: int
    """How many units there are in all."""
    units_per_row: int
    valid: Array
    """bool (columns,): False past the end of a shorter sequence."""
    bound: Array | None = None
    """bool (columns,): False where recorded code did not bind the name; None: it always did."""


@dataclass(frozen=True)
class Page:
    """The timesteps that fit on a panel.

    Pages follow one another without overlap, but for the last one, which shows as many as the others.
    """

    start: int
    stop: int
    number: int
    count: int
    per_column: int = 1
    """Timesteps that share a column."""

    @classmethod
    def around(
        cls, t: int, columns: int, steps: int, per_column: int = 1, *, is_growing: bool = False
    ) -> Page:
        """The page of so many columns that holds t.

        Args:
            t: a timestep.
            columns: of a page.
            steps: how many timesteps there are.
            per_column: how many share a column.
            is_growing: whether more are to come, which are to fill the last page.
        """
        width = max(1, columns) * per_column
        number, count = t // width, -(-steps // width)
        start, stop = number * width, min(steps, (number + 1) * width)
        if number == count - 1 and count > 1 and not is_growing:
            start = -(-(steps - width) // per_column) * per_column  # the columns are those of other pages
        return cls(start, stop, number + 1, count, per_column)

    def column_of(self, t: int) -> int:
        """The column of a timestep."""
        return (t - self.start) // self.per_column

    @property
    def text(self) -> str:
        """ "t 0–57" and, where there are more pages, which one this is, and how many share a column."""
        page = f"  page {self.number}/{self.count}" if self.count > 1 else ""
        return "  ".join(filter(None, (f"t {self.start}–{self.stop - 1}{page}", self.shared)))

    @property
    def shared(self) -> str:
        """How many timesteps share a column, if any do."""
        return f"{self.per_column} timesteps a column" if self.per_column > 1 else ""


@query(picture=True)
def window(
    view: View,
    quantity: str,
    start: int,
    stop: int,
    rows: int | None = None,
    binning: Binning = "extreme",
    per_column: int = 1,
) -> Window:
    """A quantity of the selected layer, direction and sequence.

    Args:
        view: whose cursor says what is selected.
        quantity: any name `Trace.values` knows.
        start: the first timestep.
        stop: the timestep after the last.
        rows: how many rows there is room for; more units than that share rows. None: a row for each unit.
        binning: what units that share a row come to, and timesteps that share a column: their mean, or the
            one furthest from 0. A NaN wins. What is past the end, or not bound, does not count.
        per_column: how many timesteps share a column.
    """
    if per_column > 1:
        return in_columns(partial(window, view, quantity), start, stop, rows, binning, per_column)
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


def in_columns(
    part: Callable[[int, int, int | None, Binning], Window],
    start: int,
    stop: int,
    rows: int | None,
    binning: Binning,
    per_column: int,
) -> Window:
    """A window of timesteps that share columns, read in blocks, so that a long run costs no memory.

    Args:
        part: the window from one timestep to before another, for so many rows, each timestep by itself.
        start: the first timestep.
        stop: the timestep after the last.
        rows: see `window`.
        binning: see `window`.
        per_column: how many timesteps share a column.
    """
    block = max(1, _BLOCK // per_column) * per_column
    parts = [part(at, min(at + block, stop), rows, binning) for at in range(start, stop, block)]
    made = [_shared(piece, per_column, binning) for piece in parts]
    values, valid, bound = (np.concatenate(arrays) for arrays in zip(*made, strict=True))
    is_bound = bound if any(piece.bound is not None for piece in parts) else None
    first = parts[0]
    return Window(first.quantity, start, stop, values, first.units, first.units_per_row, valid, is_bound)


def _shared(part: Window, per_column: int, binning: Binning) -> tuple[Array, Array, Array]:
    """Values, valid and bound of the columns of a window that has a value for each timestep."""
    bound = part.valid if part.bound is None else part.valid & part.bound
    values, is_bound = shared(part.values, bound, per_column, binning)
    starts = np.arange(0, len(part.values), per_column)
    return values, np.logical_or.reduceat(part.valid, starts), is_bound


def shared(values: Array, counted: Array, per_column: int, binning: Binning) -> tuple[Array, Array]:
    """(columns, rows) of (timesteps, rows), and whether any timestep of a column counts.

    Args:
        values: one for each timestep.
        counted: bool (timesteps,): those that count; a column without any is 0.
        per_column: how many timesteps share a column.
        binning: what they come to.
    """
    columns = -(-len(values) // per_column)
    kind = np.float64 if binning == "mean" else values.dtype
    made, has_any = np.zeros((columns, values.shape[1]), kind), np.zeros(columns, bool)
    places = np.flatnonzero(counted)
    if places.size:
        at, first = np.unique(places // per_column, return_index=True)
        made[at], has_any[at] = _reduced(values[places], first, 0, binning), True
    return made, has_any


def binned(values: Array, per_row: int, binning: Binning) -> Array:
    """(timesteps, rows) of (timesteps, units); the last row may have fewer units."""
    if per_row == 1:
        return values
    return _reduced(values, np.arange(0, values.shape[1], per_row), 1, binning)


def _reduced(values: Array, starts: Array, axis: int, binning: Binning) -> Array:
    """(timesteps, rows) of which those from one start to the next come to one."""
    with np.errstate(all="ignore"):
        if binning == "mean":
            sizes = np.diff(starts, append=values.shape[axis])
            sums = np.add.reduceat(values.astype(np.float64), starts, axis=axis)
            return np.asarray(sums / (sizes if axis == 1 else sizes[:, None]))
        high = np.maximum.reduceat(values, starts, axis=axis)
        low = np.minimum.reduceat(values, starts, axis=axis)
        return np.asarray(np.where(-low > high, low, high))


@query("t")
def is_bound_at(view: View, quantity: str) -> bool:
    """Whether recorded code bound a name at the cursor's timestep; what is no such name always is."""
    cursor = view.cursor
    key = array_key("bound/" + quantity, cursor.layer, cursor.direction)
    return key not in view.trace.arrays or bool(view.trace.arrays[key][cursor.t])

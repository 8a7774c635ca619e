"""Two runs on one cursor: where they part, and the difference of a quantity."""

from __future__ import annotations

from functools import partial

import numpy as np

from lstmtui.analysis.divergence import Divergence, first_divergence
from lstmtui.analysis.windows import Binning, Window, binned, in_columns, window
from lstmtui.arrays import Array, RootMeanSquare
from lstmtui.errors import UserError
from lstmtui.trace import Trace
from lstmtui.view.query import query
from lstmtui.view.view import View
from lstmtui.wording import counted

_BLOCK = 1 << 14


@query()
def divergence(view: View, other: Trace) -> Divergence | None:
    """The first place where this run and the other one differ, see `divergence.first_divergence`.

    Raises:
        UserError: they cannot be compared.
    """
    return first_divergence(view.trace, other)


def common_quantities(view: View, other: Trace) -> tuple[str, ...]:
    """The quantities of the selected layer that both runs have with as many units, in order of evaluation."""
    cursor, other_cursor = view.cursor, view.fitted_to(other).cursor
    theirs = other.quantities(other_cursor.layer)
    return tuple(
        name
        for name in view.trace.quantities(cursor.layer)
        if name in theirs
        and view.trace.values(name, cursor.layer, cursor.direction).shape[2]
        == other.values(name, other_cursor.layer, other_cursor.direction).shape[2]
    )


@query(picture=True)
def difference(
    view: View,
    other: Trace,
    quantity: str,
    start: int,
    stop: int,
    rows: int | None = None,
    binning: Binning = "extreme",
    per_column: int = 1,
) -> Window:
    """This run's quantity minus the other's, as `windows.window` gives one alone; float64.

    Equal infinities differ by 0; where one of them is NaN the difference is. Timesteps that one of
    them does not have are not valid, and 0.

    Raises:
        UserError: one of them has no such quantity, or not as many units.
    """
    if per_column > 1:
        return in_columns(partial(difference, view, other, quantity), start, stop, rows, binning, per_column)
    ours, theirs = (window(each, quantity, start, stop) for each in (view, view.fitted_to(other)))
    if ours.units != theirs.units:
        raise UserError(
            f"{quantity}: has {counted(ours.units, 'unit')} in one run and {theirs.units} in the other"
        )
    shared = min(len(ours.values), len(theirs.values))
    values = np.zeros(ours.values.shape, np.float64)
    values[:shared] = _minus(ours.values[:shared], theirs.values[:shared])
    valid = ours.valid.copy()
    valid[:shared] &= theirs.valid[:shared]
    valid[shared:] = False
    values[~valid] = 0.0
    per_row = 1 if rows is None else -(-ours.units // max(1, rows))
    rows_of = binned(values, per_row, binning)
    return Window(quantity, start, stop, rows_of, ours.units, per_row, valid, ours.bound)


@query()
def difference_limit(view: View, other: Trace, quantity: str) -> float:
    """Where a diverging map of the difference ends on every page, by the rule of `windows.color_limit`.

    Reads the selected sequence of both runs once; it does not depend on t.
    """
    high, rms = 0.0, RootMeanSquare()
    for start in range(0, view.last_t + 1, _BLOCK):
        part = difference(view, other, quantity, start, min(start + _BLOCK, view.last_t + 1))
        finite = part.values[part.valid]
        finite = finite[np.isfinite(finite)]
        high = max(high, float(np.abs(finite).max(initial=0.0)))
        rms.add(finite)
    return min(high, 3 * rms.result) or 1.0


def _minus(a: Array, b: Array) -> Array:
    """a − b in float64, and 0 where they are equal: inf − inf is NaN."""
    with np.errstate(all="ignore"):
        return np.where(a == b, 0.0, a.astype(np.float64) - b.astype(np.float64))

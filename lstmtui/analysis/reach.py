"""How far memory and gradients reach: half-lives from the gate that keeps, and the distance to 1/e."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from lstmtui.analysis.term_values import function_of
from lstmtui.analysis.time_blocks import LARGEST_BLOCK
from lstmtui.arrays import Array
from lstmtui.cells.terms import Term
from lstmtui.errors import UserError
from lstmtui.trace.keys import array_key
from lstmtui.view.query import query
from lstmtui.view.view import View


@dataclass(frozen=True)
class Reach:
    """How far back a gradient goes from one timestep."""

    state: str
    """The cell's memory: c of an LSTM, h of a GRU."""
    start: int
    """The timestep it is measured from: where the norm is largest."""
    steps: float
    """Timesteps back to the first norm of at most 1/e of that at `start`; inf where it never falls so
    far, NaN where the norm at `start` is 0 or not finite."""


@dataclass(frozen=True, eq=False)
class Horizon:
    """How long one sequence is remembered."""

    half_lives: Array | None
    """Timesteps, (units,); None in a cell whose memory no factor keeps."""
    reach: Reach | None
    """How far back the gradient goes; None for a run that has none."""


@query()
def horizon(view: View) -> Horizon:
    """The horizon of the selected layer, direction and sequence; reads all of it; the same at every t."""
    try:
        reach = gradient_reach(view)
    except UserError:
        reach = None
    return Horizon(half_lives(view), reach)


@query()
def half_lives(view: View) -> Array | None:
    """Timesteps in which half of each unit's memory is gone, (units,), or None where no factor keeps it.

    ln ½ / ln m, where m is the mean over the selected sequence of what the cell multiplies its memory by (f
    in an LSTM, z in a GRU): what a constant factor of that mean would do. inf where m ≥ 1, 0 where m = 0,
    NaN where m is negative or NaN. It reads the whole sequence, and does not depend on t.
    """
    keeping = view.cell.memory_keeping
    if keeping is None:
        return None
    with np.errstate(all="ignore"):
        mean = _mean(view, keeping.factor)
        return np.asarray(np.where(mean >= 1, np.inf, math.log(0.5) / np.log(mean)))


def _mean(view: View, factor: Term) -> Array:
    """The mean of a term over the selected sequence, (units,), in float64."""
    place, batch = (view.cursor.layer, view.cursor.direction), view.cursor.batch
    names, function = function_of(factor, view.trace, *place)
    arrays = [view.trace.values(name, *place) for name in names]
    steps, units = view.last_t + 1, view.layer.size(view.cell.memory)
    size = max(1, LARGEST_BLOCK // units)
    total = np.zeros(units)
    exact = np.float64 if factor.parts else None  # 1 − z of a tiny z is not 1
    for start in range(0, steps, size):
        stop = min(start + size, steps)
        values = function(*(np.asarray(array[start:stop, batch], exact) for array in arrays))
        total += np.broadcast_to(values, (stop - start, units)).sum(axis=0, dtype=np.float64)
    return np.asarray(total / steps)


@query()
def gradient_reach(view: View, state: str | None = None) -> Reach:
    """How far back ‖∂L/∂c_t‖ (‖∂L/∂h_t‖ where h is the memory) stays above 1/e of the largest.

    Back is against the layer's own direction, towards t = 0 in the forward one; of several timesteps at which
    the norm is largest, it starts at the latest in that direction.

    Args:
        view: whose selected layer, direction and sequence are meant.
        state: by which; left out: the cell's memory.

    Raises:
        UserError: nothing is carried from one timestep to the next, or the trace has no gradients.
    """
    cursor, last = view.cursor, view.last_t
    state = state or view.cell.memory
    if not state:
        raise UserError("no gradient goes back: this code has no state that reaches the next timestep")
    norms = view.trace.norms("d" + state, cursor.layer, cursor.direction)[: last + 1, cursor.batch]
    bound = view.trace.arrays.get(array_key("bound/" + state, cursor.layer, cursor.direction))
    since = np.arange(last + 1) if bound is None else _bound_since(np.asarray(bound[: last + 1]))
    norms = norms[since]  # a state that code does not bind anew is the same tensor as before
    is_backward = cursor.direction == "backward"
    back = norms if is_backward else norms[::-1]
    first = int(np.argmax(back))
    first = first if is_backward else last - int(since[last - first])
    fallen = np.flatnonzero(back[first:] <= back[first] / math.e)
    steps = float(fallen[0]) if len(fallen) else math.inf
    if not (math.isfinite(back[first]) and back[first] > 0):
        steps = math.nan
    return Reach(state, first if is_backward else last - first, steps)


def _bound_since(bound: Array) -> Array:
    """(T,): for each timestep the last one up to there that binds a name; before the first of them, that."""
    times = np.flatnonzero(bound)
    if not len(times):
        return np.arange(len(bound))
    before = np.searchsorted(times, np.arange(len(bound)), side="right") - 1
    return times[np.maximum(before, 0)]

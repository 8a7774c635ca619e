"""The routes by which the derivatives by the states come back to the timestep before, each on its own."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lstmtui.analysis.chain_rule_at import Timestep
from lstmtui.analysis.gradient_split import FROM_ABOVE, Route, Split, total
from lstmtui.analysis.passages import fitted
from lstmtui.analysis.rounding import EPSILON
from lstmtui.arrays import Vector, norm
from lstmtui.cells.notation import UNICODE, Notation
from lstmtui.cells.readings import readings_of
from lstmtui.errors import UserError
from lstmtui.trace.keys import array_key
from lstmtui.trace.lengths import lengths_of
from lstmtui.view.query import query
from lstmtui.view.view import View

_STEPS_OF_ROUNDING = 64


@query("t")
def routes_at(view: View, notation: Notation = UNICODE) -> tuple[Split, ...]:
    """The split of dh, and of dc where there is one, at the timestep before the cursor.

    Of the selected layer, direction and sequence, in float64, from what was recorded.

    Raises:
        UserError: the trace has no gradients, or not the layer's parameters; or the model's own loop
            changed the state between the two timesteps, so that there are routes the trace does not hold;
            or the layer is recorded code, whose equations are not known.
    """
    if view.layer.source is not None:
        raise UserError(
            "the equations of recorded code are not known, so the routes cannot be told apart: "
            "`into` walks its names, and d + name is the total derivative of each"
        )
    step = _Step(view, notation)
    step.check()
    with np.errstate(all="ignore"):
        return tuple(_split(step, state) for state in view.cell.states)


class _Step:
    """The timestep at the cursor and the one before: their vectors, and the layer's parameters."""

    def __init__(self, view: View, notation: Notation) -> None:
        cursor = view.cursor
        self.notation, self.cell, self.trace = notation, view.cell, view.trace
        self.place, self.batch, self.t = (cursor.layer, cursor.direction), cursor.batch, cursor.t
        self.previous = cursor.t + (1 if cursor.direction == "backward" else -1)
        self.length = int(lengths_of(self.trace, cursor.layer)[cursor.batch])
        self.is_first = not 0 <= self.previous < self.length
        """The state before is the initial one, which no equation made."""
        place = (*self.place, self.batch)
        self.later = Timestep(self.trace, place, self.t)
        self.earlier = None if self.is_first else Timestep(self.trace, place, self.previous)
        self.is_projected = bool(view.layer.proj_size)

    def check(self) -> None:
        """Refuse a timestep whose routes do not end in the states of the timestep before."""
        if self.t >= self.length:
            raise UserError(f"t={self.t}: this layer has t=0 to t={self.length - 1} of this sequence")
        for state in () if self.is_first else self.cell.states:
            before = self.trace.arrays.get(array_key("before/" + state, *self.place))
            if before is not None and (before[self.t, self.batch] != self.before(state)).any():
                raise UserError(
                    f"the model's own loop changed {state} between t={self.previous} and t={self.t}: "
                    "what of the gradient comes back through that is not in the trace"
                )

    def now(self, quantity: str) -> Vector:
        """A quantity at the cursor, (units,)."""
        return np.asarray(self.trace.values(quantity, *self.place)[self.t, self.batch], np.float64)

    def before(self, quantity: str) -> Vector:
        """A quantity at the timestep before, or an initial state or its derivative, (units,)."""
        if self.is_first:
            return np.asarray(self.trace.initial(quantity, *self.place)[self.batch], np.float64)
        return np.asarray(self.trace.values(quantity, *self.place)[self.previous, self.batch], np.float64)


def _split(step: _Step, state: str) -> Split:
    routes = tuple(_routes_into(step, state))
    whole = step.before("d" + state)
    rest = whole - total(routes, whole)
    rounding = _STEPS_OF_ROUNDING * EPSILON.get(step.trace.header.dtype, EPSILON["float32"])
    is_rounding = norm(rest) <= rounding * sum(norm(v) for v in (whole, *(r.values for r in routes)))
    if not is_rounding or (state == step.cell.states[0] and _is_read_from_above(step)):
        routes = (*routes, Route(FROM_ABOVE, rest))
    return Split(state, step.previous, whole, step.now("d" + state), step.t, routes)


def _is_read_from_above(step: _Step) -> bool:
    """Whether something above the recurrence reads h of the timestep before."""
    is_last = step.place[0] == len(step.trace.layers) - 1
    if step.is_first:
        return False
    mask = step.trace.arrays.get("mask")
    return not is_last or mask is None or bool(mask[step.previous, step.batch])


def _routes_into(step: _Step, state: str) -> Iterator[Route]:
    """The routes into a state of the timestep before, from all that reads it there or at the cursor."""
    for reading in readings_of(step.cell, state, step.notation, projected=step.is_projected):
        timestep = step.later if reading.is_later else step.earlier
        if timestep is not None:
            units = step.trace.layers[step.place[0]].size(state)
            yield Route(reading.name, fitted(timestep.back(reading.quantity, reading.way), units))

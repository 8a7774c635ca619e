"""What a layer's states are given of the gradient from above, apart from what comes back through time."""

from __future__ import annotations

from collections.abc import Iterator
from weakref import WeakKeyDictionary

import numpy as np

from lstmtui.analysis.passages import fitted, passed
from lstmtui.analysis.rounding import rounding_of
from lstmtui.analysis.term_values import parameter_block, why_missing
from lstmtui.analysis.time_blocks import LARGEST_BLOCK
from lstmtui.arrays import Array, norm
from lstmtui.cells.notation import UNICODE
from lstmtui.cells.readings import Reading, readings_of
from lstmtui.cells.terms import Term, evaluate
from lstmtui.errors import UserError
from lstmtui.trace import Trace
from lstmtui.trace.keys import array_key
from lstmtui.trace.lengths import lengths_of

_CANCELLED = 0.1
"""Below this part of the whole, what is left may be what rounding has left of larger routes."""

_results: WeakKeyDictionary[Trace, dict[tuple[int, str], Array]] = WeakKeyDictionary()


def fed_gradient(trace: Trace, layer: int, direction: str) -> Array:
    """The L2 norm of what is fed to the states from above at each timestep, (T, B), in float64.

    From above is whatever reads a state outside of the layer's own recurrence: the loss, a head, the layer
    above. Where that was not recorded, it is the total derivative without what the equations bring back,
    summed over the states; what is within rounding of that counts as 0, and all that comes back over a change
    of the states in the model's own loop counts as fed.

    Raises:
        UserError: the trace has no derivatives, or not the layer's parameters; or the layer is recorded
            code, whose equations are not known.
    """
    recorded = trace.arrays.get(array_key("reads", layer, direction))
    if recorded is not None:
        return np.asarray(recorded)
    results = _results.setdefault(trace, {})
    if (layer, direction) not in results:
        results[layer, direction] = _Flow(trace, layer, direction).fed()
    return results[layer, direction]


class _Flow:
    """The derivatives of one layer and direction, and its equations."""

    def __init__(self, trace: Trace, layer: int, direction: str) -> None:
        if trace.layers[layer].source is not None:
            raise UserError("of recorded code no equations are known that tell the recurrence from the rest")
        self.trace, self.place, self.cell = trace, (layer, direction), trace.cell(layer)
        self.later = -1 if direction == "backward" else 1
        """From a timestep to the one after it, in the direction's own time."""
        self.lengths, self.rounding = lengths_of(trace, layer), rounding_of(trace)
        self.parameters: dict[str, Array] = {}
        projected = bool(trace.layers[layer].proj_size)
        self.readings = {s: readings_of(self.cell, s, UNICODE, projected=projected) for s in self.cell.states}
        widest = max(trace.layers[layer].size(state) for state in self.cell.states)
        self.size = max(1, LARGEST_BLOCK // max(1, trace.batch * widest))

    def fed(self) -> Array:
        """See `fed_gradient`."""
        steps = self.trace.steps
        result = np.zeros((steps, self.trace.batch))
        with np.errstate(all="ignore"):
            for start in range(0, steps, self.size):
                block = slice(start, min(start + self.size, steps))
                size = sum(self.trace.norms("d" + s, *self.place)[block] for s in self.cell.states)
                result[block] += self._fed_to(self.cell.states[0], block, np.asarray(size))
            for state in self.cell.states[1:]:
                for block in self._readable():
                    size = sum(self.trace.norms("d" + s, *self.place)[block] for s in self.cell.states)
                    result[block] += self._fed_to(state, block, np.asarray(size))
        result[np.arange(steps)[:, None] >= self.lengths] = 0
        return result

    def _readable(self) -> Iterator[slice]:
        """The timesteps at which more than h can be read: after one call of a layer its last ones alone."""
        start, stop = 0, self.trace.steps
        if self.trace.layers[self.place[0]].calls == 1:
            ends = self.lengths[self.lengths > 0]
            start, stop = (int(ends.min()) - 1, int(ends.max())) if self.later > 0 else (0, 1)
        for first in range(start, stop, self.size):
            yield slice(first, min(first + self.size, stop))

    def _fed_to(self, state: str, block: slice, size: Array) -> Array:
        """What is fed to one state; `size` is that of the derivatives by all of them, (t, B)."""
        whole = self._values("d" + state, block)
        routes = [self._come_back(reading, state, block, whole) for reading in self.readings[state]]
        left = whole - routes[0] if routes else whole
        for route in routes[1:]:
            left -= route
        rest = norm(left)
        # A state may have none but what rounding leaves of the others, as what only steadies a division.
        scale = size + rest
        small = np.flatnonzero(rest <= _CANCELLED * scale)
        # Routes may be much larger than what is left of them where they cancel.
        sizes = (norm(route.reshape(-1, route.shape[-1])[small]) for route in routes)
        allowed = self.rounding * (scale.ravel()[small] + sum(sizes))
        rest.ravel()[small[rest.ravel()[small] <= allowed]] = 0
        return rest

    def _come_back(self, reading: Reading, state: str, block: slice, whole: Array) -> Array:
        """What comes back along one route at each timestep of the block, as far as there is one after it."""
        if not reading.is_later:
            return self._along(reading, state, block)
        start, stop = max(0, block.start + self.later), min(self.trace.steps, block.stop + self.later)
        after = slice(start, max(start, stop))
        brought = self._along(reading, state, after)
        changed = self._changed(state, after)
        if changed is not None:
            brought = np.where(changed[..., None], 0, brought)
        if len(brought) == len(whole):
            return brought
        back = np.zeros_like(whole)
        first = start - self.later - block.start
        back[first : first + len(brought)] = brought
        return back

    def _changed(self, state: str, after: slice) -> Array | None:
        """Where the state that a timestep began from is not what the timestep before ended with, (t, B)."""
        before = self.trace.arrays.get(array_key("before/" + state, *self.place))
        if before is None:
            return None
        began = np.asarray(before[after])
        return np.asarray((began != self._values(state, _moved(after, -self.later))).any(axis=-1))

    def _along(self, reading: Reading, state: str, times: slice) -> Array:
        """The derivative by the reading's quantity, on its way back to the state; (t, B, units)."""
        values = self._values("d" + reading.quantity, times)
        for passage in reading.way:
            values = passed(values, passage, lambda term: self._value(term, times))
        return fitted(values, self.trace.layers[self.place[0]].size(state))

    def _value(self, term: Term, times: slice) -> Array:
        return np.asarray(evaluate(term, lambda symbol: self._symbol(symbol, times)))

    def _symbol(self, symbol: Term, times: slice) -> Array:
        if symbol.role == "parameter":
            return self._parameter(symbol.text)
        if symbol.definition is None and symbol.role != "x":
            return self._state_before(symbol.role, times)
        return self._values(symbol.role, times)

    def _parameter(self, symbol: str) -> Array:
        if symbol not in self.parameters:
            every = self.trace.layer_parameters(*self.place)
            why = why_missing(self.trace, self.place[0])
            exact = parameter_block(symbol, self.cell, every, "verdicts on gradients", why)
            wide = self.trace.values("d" + self.cell.states[0], *self.place).dtype
            self.parameters[symbol] = exact.astype(wide)
        return self.parameters[symbol]

    def _state_before(self, state: str, times: slice) -> Array:
        """A state as each of the timesteps began from it."""
        before = self.trace.arrays.get(array_key("before/" + state, *self.place))
        if before is not None:
            return np.asarray(before[times])
        indices = np.arange(times.start, times.stop)[:, None] - self.later
        inside = np.clip(indices[:, 0], 0, self.trace.steps - 1)
        values = np.asarray(self.trace.values(state, *self.place)[inside])
        is_first = (indices < 0) | (indices >= self.lengths)
        return np.where(is_first[..., None], self.trace.initial(state, *self.place)[None], values)

    def _values(self, quantity: str, times: slice) -> Array:
        return np.asarray(self.trace.values(quantity, *self.place)[times])


def _moved(times: slice, by: int) -> slice:
    return slice(times.start + by, times.stop + by)

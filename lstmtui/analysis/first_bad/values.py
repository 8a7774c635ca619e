"""NaN and inf in a run: where the first one is, in the order in which the numbers were computed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from operator import itemgetter
from typing import NamedTuple
from weakref import WeakKeyDictionary

from lstmtui.analysis.first_bad.bindings import BadBinding
from lstmtui.analysis.first_bad.code import LayerBinding, first_bad_of_code, when
from lstmtui.analysis.first_bad.evaluation import evaluated
from lstmtui.analysis.first_bad.in_blocks import Which, first_over_time
from lstmtui.trace import Trace
from lstmtui.trace.lengths import lengths_of
from lstmtui.trace.order import order_of


class BadValue(NamedTuple):
    """One NaN or inf of a run."""

    layer: int | None
    """None for y and dy, which no layer owns."""
    direction: str
    quantity: str
    """d… for a derivative."""
    t: int
    """The timestep; −1 for an initial state, or the derivative by it."""
    unit: int
    batch: int
    value: float
    stage: int | None = None
    """Of recorded code, which binding it is of; None for an argument, and for a layer of ours."""


_results: WeakKeyDictionary[Trace, dict[tuple[str, int | None], BadValue | None]] = WeakKeyDictionary()


def first_bad_value(trace: Trace, which: Which = "forward", batch: int | None = None) -> BadValue | None:
    """The first NaN or inf of a run, or None; looked for once, until it is found.

    Forward is the order of evaluation: call by call, in a call layer by layer and direction by direction,
    the initial states, then time in the direction's own sense, at each timestep x and the cell's equations
    in order; y at last. Backward is the same in reverse: dy, the last call, its last layer, its time from the
    end, its equations from h to the first gate; then the derivatives by the initial states and by x. Where
    several units and sequences turn bad in the same equation, the lowest unit is given, of the first
    sequence. In recorded code it is the order of the bindings, see `first_bad_of_code`. In a trace that does
    not have the order of the calls, all those of a layer come before those of the next.

    Args:
        trace: the run.
        which: the pass.
        batch: one sequence alone; None: all of them.
    """
    results = _results.setdefault(trace, {})
    if (which, batch) not in results:
        # What holds for all of them holds for each.
        is_clean = batch is not None and first_bad_value(trace, which) is None
        results[which, batch] = None if is_clean else _search(trace, which, batch)
    return results[which, batch]


def first_bad_timestep(trace: Trace, batch: int) -> int:
    """The timestep of the first NaN or inf of a sequence in the forward pass; −1 where there is none.

    A bad initial state counts as the first timestep of its direction.
    """
    bad = first_bad_value(trace, "forward", batch)
    if bad is None:
        return -1
    if bad.t >= 0:
        return bad.t
    return int(lengths_of(trace, bad.layer or 0)[batch]) - 1 if bad.direction == "backward" else 0


def _search(trace: Trace, which: Which, batch: int | None) -> BadValue | None:
    candidates = _candidates(trace, which, batch)
    if not any(order_of(trace, layer) is not None for layer in range(len(trace.layers))):
        return next(candidates, None)
    every = [(_when(trace, which, bad), bad) for bad in candidates]
    return min(every, key=itemgetter(0))[1] if every else None


def _candidates(trace: Trace, which: Which, batch: int | None) -> Iterator[BadValue]:
    """The first bad value of each layer and direction, layer by layer; of all recorded code there is one."""
    is_code_due = True
    for layer, direction, quantities, is_reversed, is_initial in evaluated(trace, which):
        lengths = None if is_initial else trace.lengths
        if layer is not None and trace.layers[layer].source is not None:
            code = first_bad_of_code(trace, which, batch) if is_code_due else None
            is_code_due = False
            if code is not None:
                yield BadValue(code.layer, direction, *code.binding)
            continue
        bad = first_over_time(quantities, is_reversed, lengths, batch)
        if bad is not None:
            timed, t, unit, sequence = bad
            value = float(timed.values[t, sequence, unit])
            yield BadValue(layer, direction, timed.quantity, -1 if is_initial else t, unit, sequence, value)


def _when(trace: Trace, which: Which, bad: BadValue) -> tuple[bool, float]:
    """What sorts bad values by when the pass comes to them; those of one call are layer by layer."""
    if bad.layer is None:
        return False, math.inf if which == "forward" else -math.inf
    if trace.layers[bad.layer].source is not None:
        own = BadBinding(bad.quantity, bad.t, bad.unit, bad.batch, bad.value, bad.stage)
        return when(trace, which, LayerBinding(bad.layer, own))
    order = order_of(trace, bad.layer)
    moment = 0 if order is None else int(order[max(bad.t, 0)])
    return False, moment if which == "forward" else -moment

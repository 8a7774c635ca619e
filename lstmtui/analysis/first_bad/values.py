"""NaN and inf in a run: where the first one is, in the order in which the numbers were computed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple
from weakref import WeakKeyDictionary

from lstmtui.analysis.first_bad.code import first_bad_of_code
from lstmtui.analysis.first_bad.in_blocks import Timed, Which, first_over_time
from lstmtui.trace import Trace
from lstmtui.trace.lengths import lengths_of


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

    Forward is the order of evaluation: layer by layer and direction by direction, the initial states, then
    time in the direction's own sense, at each timestep x and the cell's equations in order; y at last.
    Backward is the same in reverse: dy, the last layer, its time from the end, its equations from h to the
    first gate; then the derivatives by the initial states and by x. Where several units and sequences turn
    bad in the same equation, the lowest unit is given, of the first sequence. In recorded code it is the
    order of the bindings, see `first_bad_of_code`.

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
    stages = _forward_stages(trace) if which == "forward" else _backward_stages(trace)
    is_code_due = True
    for layer, direction, quantities, is_reversed in stages:
        is_initial = is_reversed is None
        lengths = None if is_initial else trace.lengths
        if layer is not None and trace.layers[layer].source is not None:
            code = first_bad_of_code(trace, which, batch) if is_code_due else None
            is_code_due = False
            if code is not None:
                return BadValue(code.layer, direction, *code.binding)
            continue
        bad = first_over_time(quantities, bool(is_reversed), lengths, batch)
        if bad is not None:
            timed, t, unit, sequence = bad
            value = float(timed.values[t, sequence, unit])
            return BadValue(layer, direction, timed.quantity, -1 if is_initial else t, unit, sequence, value)
    return None


_Stage = tuple[int | None, str, Sequence[Timed], bool | None]
"""Layer, direction, what is computed at each timestep in this order, and whether time is walked from the
end; None for initial states, as runs of one timestep, and for recorded code, whose order is its own."""


def _forward_stages(trace: Trace) -> Iterator[_Stage]:
    for index, layer in enumerate(trace.layers):
        cell = trace.cell(index)
        for direction in layer.directions:
            if layer.source is not None:
                yield index, direction, (), None
                continue
            before = [s for s in trace.initial_states(index, direction) if s in cell.states]
            states = [Timed(s, trace.initial(s, index, direction)[None]) for s in before]
            yield index, direction, states, None
            names = [q for q in layer.quantities if q in trace.quantities(index)]
            timed = [Timed(q, trace.values(q, index, direction)) for q in names]
            yield index, direction, timed, direction == "backward"
    if "y" in trace.arrays:
        yield None, "", [Timed("y", trace.arrays["y"])], False


def _backward_stages(trace: Trace) -> Iterator[_Stage]:
    if "dy" in trace.arrays:
        yield None, "", [Timed("dy", trace.arrays["dy"])], True
    for index in reversed(range(len(trace.layers))):
        cell, recorded = trace.cell(index), trace.quantities(index)
        directions = trace.layers[index].directions
        for direction in reversed(directions):
            if trace.layers[index].source is not None:
                yield index, direction, (), None
                continue
            names = ["d" + q for q in reversed(cell.quantities) if "d" + q in recorded]
            timed = [Timed(q, trace.values(q, index, direction)) for q in names]
            yield index, direction, timed, direction == "forward"
            if names:
                every = trace.initial_states(index, direction)
                before = ["d" + state for state in cell.states if "d" + state in every]
                initial = [Timed(name, trace.initial(name, index, direction)[None]) for name in before]
                yield index, direction, initial, None
        if "dx" in recorded and trace.layers[index].source is None:
            # The same array for both directions: what both give back.
            yield index, directions[0], [Timed("dx", trace.values("dx", index, directions[0]))], True

"""Verdicts on what units hold: never written, never read, growing without end, or dead."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lstmtui.analysis.diagnosis.gates import CLOSED
from lstmtui.analysis.diagnosis.layer_blocks import blocks_of, largest_of
from lstmtui.analysis.diagnosis.selecting import selecting, then
from lstmtui.analysis.diagnosis.verdict import (
    BAD,
    CODE,
    FEWEST_STEPS,
    FINE,
    LOOK,
    Verdict,
    not_measured,
    severity,
    too_short,
    units_text,
)
from lstmtui.analysis.term_values import function_of
from lstmtui.arrays import Array
from lstmtui.cells.keeping import is_computed
from lstmtui.cells.notation import UNICODE, plain
from lstmtui.cells.rendering import render, text
from lstmtui.cells.terms import RANGES, Term
from lstmtui.trace import Layer, Trace
from lstmtui.trace.lengths import lengths_of

WRITTEN = 0.01
"""A unit is not written to where the largest of what the cell adds (|i·g|, |(1 − z)·n|) in the whole run is
at most this part of the largest in the layer: what it could add is lost beside what others do."""
NOTHING = 1e-6
"""A layer in which no unit is written to by more than this has no unit that is."""
READ = 1e-3
"""A unit is not read where the largest |∂L/∂h| of the whole run is at most this part of the largest in the
layer: the loss does not notice it. Also where an output gate stays below `CLOSED`."""
UNITS_LOOK, UNITS_BAD = 1e-9, 0.5
"""Shares of the units of a layer: one is worth a look, half of them are wasted size."""

TANH_FLAT, RUNAWAY = 8.0, 100.0
"""Beyond 8 the slope of tanh(c) is below 5e-7, next to float32's rounding, and the unit shows nothing but its
output gate (Gers, Schmidhuber & Cummins 2000, on growing cell states); what networks have learned to add up
stays below that. At 100 a unit has been written to at least a hundred times without forgetting, and bfloat16
rounds c to steps of 0.5. Half the units of a layer beyond that are bad."""
GREW = 2.0
"""|c| drifts where its mean over the last quarter of a sequence is over `TANH_FLAT` and so many times that of
the first quarter, and the straight line through it rises."""


def memory_verdicts(trace: Trace, layer: int, direction: str) -> Iterator[Verdict]:
    """unwritten, unread, drift and dead, as far as the cell can be it."""
    place, cell, steps = (layer, direction), trace.cell(layer), int(lengths_of(trace, layer).max())
    why = CODE if trace.layers[layer].source is not None else too_short(steps) if steps < FEWEST_STEPS else ""
    if why:
        for name in _names(trace.layers[layer]):
            yield not_measured(name, *place, why)
        return
    keeping = cell.memory_keeping
    if keeping is not None and keeping.written is not None and is_computed(keeping.written):
        yield _unwritten(trace, *place, keeping.written)
    yield _unread(trace, *place)
    for state in (
        s for s, keeping in cell.keeping.items() if not keeping.is_average and s not in cell.normalized
    ):
        yield _drift(trace, *place, state)
    for quantity in (q for q in cell.squashed if cell.range(q) == RANGES["relu"]):
        dead = np.flatnonzero(largest_of(trace, *place, [quantity], np.positive) == 0)
        bad = f"{quantity} is always 0 in"
        yield _of_units("dead", trace, *place, quantity, dead, bad, "no unit is dead")


def _names(layer: Layer) -> tuple[str, ...]:
    """The verdicts that there are of a layer."""
    cell = layer.layout.cell
    if layer.source is not None:
        return ("unwritten", "unread", "drift")
    is_relu = any(cell.range(quantity) == RANGES["relu"] for quantity in cell.squashed)
    return ("unread", *(("unwritten", "drift") if cell.keeping else ()), *(("dead",) if is_relu else ()))


def _unwritten(trace: Trace, layer: int, direction: str, written: Term) -> Verdict:
    cell = trace.cell(layer)
    largest = largest_of(trace, layer, direction, *function_of(written, trace, layer, direction))
    most = float(largest.max(initial=0.0))
    units = np.flatnonzero(largest <= (WRITTEN * most if most > NOTHING else np.inf))
    limit = f"{WRITTEN:.0%} of the largest" if most > NOTHING else f"{NOTHING:.0e}"
    bad = f"|{text(render(written, UNICODE, numeric=False, expand=False))}| never exceeds {limit} in"
    quantity = cell.candidate or cell.memory
    return _of_units("unwritten", trace, layer, direction, quantity, units, bad, "every unit is written to")


def _unread(trace: Trace, layer: int, direction: str) -> Verdict:
    cell, place = trace.cell(layer), (layer, direction)
    output, gate = cell.states[0], cell.output_gate
    unread: list[Array] = []
    signs: list[str] = []
    if gate:
        unread.append(largest_of(trace, *place, [gate], np.positive) < CLOSED)
        signs.append(f"{gate} stays below {CLOSED}")
    if "d" + output in trace.quantities(layer) and not trace.layers[layer].proj_size:
        derivative = largest_of(trace, *place, ["d" + output], np.positive)
        most = float(derivative.max(initial=0.0))
        if most > 0 and np.isfinite(most):
            unread.append(derivative <= READ * most)
            signs.append(f"|∂L/∂{output}| below {READ:.1%} of the largest,")
    if not unread:
        absent = f"∂L/∂{output} is not there: {trace.absent(layer)}" if trace.absent(layer) else ""
        projected = "h is a projection of what the units give" if trace.layers[layer].proj_size else ""
        why = absent or projected or f"∂L/∂{output} is 0 throughout, not finite, or not in the trace"
        return not_measured("unread", layer, direction, why, output)
    units = np.flatnonzero(np.logical_or.reduce(unread))
    bad = f"{', or '.join(signs)} in"
    return _of_units("unread", trace, layer, direction, output, units, bad, "every unit is read")


def _drift(trace: Trace, layer: int, direction: str, state: str) -> Verdict:
    growth = _Growth(trace, layer, direction, state)
    flat = growth.late > TANH_FLAT
    units = np.flatnonzero(flat & (growth.late > GREW * growth.early) & (growth.slope > 0))
    runaway = units[growth.late[units] > RUNAWAY]
    of = len(growth.late)
    how = FINE if not len(units) else BAD if len(runaway) >= UNITS_BAD * of else LOOK
    sentence = (
        f"|{state}| ends at {plain(growth.late.max(initial=0.0), 3)} at most, and does not keep growing"
    )
    if len(units):
        first = units[np.argmax(growth.slope[units])]
        sentence = (
            f"|{state}| keeps growing in {units_text(units.tolist(), of)}: in unit {first} by "
            f"{plain(growth.slope[first], 2)} a timestep, to {plain(growth.late[first], 3)}"
        )
    next_ = ""
    if len(units):
        goes = selecting(trace, layer, direction, unit=int(units[0]))
        next_ = then(goes, f"break when abs({state}[{units[0]}]) > {TANH_FLAT:g}")
    number = len(units) / of
    return Verdict("drift", how, layer, direction, state, number, UNITS_LOOK, sentence, _few(units), next_)


class _Growth:
    """|state| of each unit, early and late in the sequences, and the straight line through it."""

    def __init__(self, trace: Trace, layer: int, direction: str, state: str) -> None:
        units = trace.layers[layer].size(state)
        sums, counts = np.zeros((2, units)), np.zeros(2)
        line, moments = np.zeros((2, units)), np.zeros(3)
        with np.errstate(all="ignore"):
            for block in blocks_of(trace, layer, direction, [state]):
                age, size = block.age.astype(np.float64), np.abs(block.values[0].astype(np.float64))
                quarters = (block.age < block.length / 4, block.age >= block.length * 3 / 4)
                for at, inside in enumerate(quarters):
                    sums[at] += size[inside].sum(axis=0)
                    counts[at] += inside.sum()
                line += size.sum(axis=0), age @ size
                moments += np.array([len(age), age.sum(), age @ age])
            self.early, self.late = sums / np.maximum(counts, 1)[:, None]
            """The mean |state| over the first and the last quarter of the sequences, (units,)."""
            rows, first, second = moments
            self.slope = (rows * line[1] - first * line[0]) / max(rows * second - first**2, 1e-300)
            """What |state| gains in a timestep, by least squares, (units,)."""


def _of_units(
    name: str, trace: Trace, layer: int, direction: str, quantity: str, units: Array, bad: str, fine: str
) -> Verdict:
    """A verdict whose number is a share of the units."""
    of = trace.layers[layer].hidden_size
    share = len(units) / of
    return Verdict(
        name,
        severity(share, UNITS_LOOK, UNITS_BAD),
        layer,
        direction,
        quantity,
        share,
        UNITS_LOOK,
        f"{bad} {units_text(units.tolist(), of)}" if len(units) else fine,
        _few(units),
        selecting(trace, layer, direction, unit=int(units[0])) if len(units) else "",
    )


def _few(units: Array) -> tuple[int, ...]:
    return tuple(int(unit) for unit in units[:8])

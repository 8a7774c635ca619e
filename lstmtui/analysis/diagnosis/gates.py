"""Verdicts on what is squashed: saturated as a whole, or stuck on one side in single units."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lstmtui.analysis.diagnosis.layer_blocks import blocks_of
from lstmtui.analysis.diagnosis.selecting import selecting, then
from lstmtui.analysis.diagnosis.verdict import (
    FEWEST_STEPS,
    FINE,
    Verdict,
    not_measured,
    severity,
    too_short,
    units_text,
)
from lstmtui.arrays import Array
from lstmtui.cells.notation import percent
from lstmtui.trace import Trace
from lstmtui.trace.lengths import lengths_of
from lstmtui.wording import listed

CLOSED, OPEN = 0.05, 0.95
"""Beyond these a gate's slope σ·(1 − σ) is below 0.0475, less than a fifth of what it can be. Karpathy,
Johnson & Fei-Fei 2015 (arXiv:1506.02078) count from 0.1 and 0.9, to describe healthy networks; an alarm has
to begin later. A tanh counts beyond ±0.95, where its slope is below 0.0975 of 1."""

SATURATED_LOOK, SATURATED_BAD = 0.75, 0.95
"""Shares of all timesteps and units. Networks that have learned to remember saturate most of their
candidates and still learn; where 95 % are at the limits next to nothing is left that could."""

STUCK_LOOK, STUCK_BAD = 0.1, 0.5
"""Shares of the units of a layer."""


def squashed(trace: Trace, layer: int) -> tuple[str, ...]:
    """What sigmoid or tanh give in a layer: gates and candidates, or h of a plain tanh network.

    A gate that is made of another, such as f = 1 − i, is judged with that. Of recorded code those names are
    taken for gates that never leave [0, 1], have a derivative, and a unit for each of a state: what is a
    share or a probability of something else, such as the weights of an attention, has other sizes.
    """
    cell, source = trace.cell(layer), trace.layers[layer].source
    if source is not None:
        shapes = {variable.shape for variable in source.variables if variable.carried_to}
        named = (v for v in source.variables if v.in_unit_interval and v.shape in shapes)
        return tuple(v.name for v in named if "d" + v.name in trace.quantities(layer))
    return tuple(q for q in cell.squashed if np.isfinite(cell.range(q)).all())


def gate_verdicts(trace: Trace, layer: int, direction: str) -> Iterator[Verdict]:
    """saturated and stuck, for each gate and candidate."""
    steps, gates = int(lengths_of(trace, layer).sum()), squashed(trace, layer)
    why = too_short(steps) if steps < FEWEST_STEPS else ""
    if trace.layers[layer].source is not None and not gates:
        why = "no name of the code stays in [0, 1] and has a unit for each of a state, as a gate has"
    spreads = [] if why else [_Spread(trace, layer, direction, quantity) for quantity in gates]
    # Of what code binds in some timesteps only there may be too few.
    measured = [spread for spread in spreads if spread.rows >= FEWEST_STEPS]
    if spreads and not measured:
        why = too_short(max(spread.rows for spread in spreads))
    if why:
        for name in ("saturated", "stuck"):
            yield not_measured(name, layer, direction, why)
    for spread in measured:
        yield spread.saturated()
        yield spread.stuck()


class _Spread:
    """The range of the values of one gate, unit by unit; reads all of them."""

    def __init__(self, trace: Trace, layer: int, direction: str, quantity: str) -> None:
        self.trace, self.place, self.quantity = trace, (layer, direction), quantity
        cell = trace.cell(layer)
        self.is_gate = cell.in_unit_interval(quantity)
        self.remembers = cell.remembers_when(quantity)
        """The side on which a unit remembers: gates are meant to stay there (Gers, Schmidhuber & Cummins
        2000), and a bias is often set for it (Tallec & Ollivier 2018). Only the other side counts."""
        self.low_end = CLOSED if self.is_gate else -OPEN
        units = trace.layers[layer].size(quantity)
        self.is_recorded_code = trace.layers[layer].source is not None
        """On which side a gate of a user's own remembers is not known: it is worth a look at most."""
        self.low, self.high = np.zeros(units), np.zeros(units)
        self.least, self.most = np.full(units, np.inf), np.full(units, -np.inf)
        self.rows = 0
        for block in blocks_of(trace, layer, direction, [quantity]):
            self._add(block.values[0])

    def _add(self, values: Array) -> None:
        self.low += (values < self.low_end).sum(axis=0)
        self.high += (values > OPEN).sum(axis=0)
        self.least = np.minimum(self.least, values.min(axis=0, initial=np.inf))
        self.most = np.maximum(self.most, values.max(axis=0, initial=-np.inf))
        self.rows += len(values)

    def saturated(self) -> Verdict:
        """The share of timesteps and units at the limits."""
        every = self.rows * len(self.low)
        low, high = float(self.low.sum() / every), float(self.high.sum() / every)
        counted = self.low * (self.remembers != "closed") + self.high * (self.remembers != "open")
        share = float(counted.sum() / every)
        fullest = np.argsort(-counted, kind="stable")[:3]
        if self.is_gate:
            sides = f"below {CLOSED} in {percent(low)} and above {OPEN} in {percent(high)}"
        else:
            sides = f"beyond ±{OPEN} in {percent(low + high)}"
        how = severity(share, SATURATED_LOOK, np.inf if self.is_recorded_code else SATURATED_BAD)
        aside = {"open": high, "closed": low}.get(self.remembers, 0.0)
        kept = f"; {self.remembers} is how it remembers" if aside > SATURATED_LOOK else ""
        return Verdict(
            "saturated",
            how,
            *self.place,
            self.quantity,
            share,
            SATURATED_LOOK,
            f"{self.quantity} is {sides} of all timesteps and units{kept}",
            tuple(int(unit) for unit in fullest) if how != FINE else (),
            "" if how == FINE else then(selecting(self.trace, *self.place), self._watch()),
        )

    def stuck(self) -> Verdict:
        """The units that never leave one side."""
        closed = np.flatnonzero((self.most < self.low_end) & (self.remembers != "closed"))
        opened = np.flatnonzero((self.least > OPEN) & (self.remembers != "open"))
        units, of = np.union1d(closed, opened), len(self.low)
        sides = [(closed, f"below {self.low_end}"), (opened, f"above {OPEN}")]
        parts = [f"{side} in {units_text(which.tolist(), of)}" for which, side in sides if len(which)]
        text = f"{self.quantity} is throughout {listed(parts)}" if parts else ""
        share = len(units) / of
        return Verdict(
            "stuck",
            severity(share, STUCK_LOOK, np.inf if self.is_recorded_code else STUCK_BAD),
            *self.place,
            self.quantity,
            share,
            STUCK_LOOK,
            text or f"{self.quantity} moves in every unit",
            tuple(int(unit) for unit in units[:8]),
            selecting(self.trace, *self.place, unit=int(units[0])) if len(units) else "",
        )

    def _watch(self) -> str:
        return f"watch mean({self.quantity})" if self.is_gate else f"watch mean(abs({self.quantity}))"

"""The first NaN or inf of recorded code, in the order in which its lines were run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import numpy as np

from lstmtui.analysis.first_bad.in_blocks import IsBad, Timed, Which, first_over_time, is_not_finite
from lstmtui.analysis.stage_values import DIRECTION, is_bound, values_at
from lstmtui.analysis.statements import writes_infinity
from lstmtui.arrays import Array
from lstmtui.trace import Trace
from lstmtui.trace.keys import array_key
from lstmtui.trace.lengths import lengths_of
from lstmtui.trace.order import NEVER, order_of
from lstmtui.trace.source import Source


class BadBinding(NamedTuple):
    """A binding of a name to NaN or inf."""

    quantity: str
    """d… for a derivative."""
    t: int
    unit: int
    batch: int
    value: float
    stage: int | None
    """None for an argument."""


def first_bad_binding(
    trace: Trace,
    layer: int,
    source: Source,
    which: Which = "forward",
    batch: int | None = None,
    is_bad: IsBad | None = None,
) -> BadBinding | None:
    """The first bad value that a binding of a layer gave, inner steps included; None where there is none.

    The order is that in which the lines ran. In a trace that does not have it, arguments come first in each
    round, then the bindings as the round binds them; backward it is the same in reverse. Code that names
    infinity, as what fills a mask with −inf does, has it as a number like any other: there only NaN is bad in
    the forward pass.

    Args:
        trace: the run.
        layer: of recorded code.
        source: its code.
        which: the pass.
        batch: one sequence alone; None: all of them.
        is_bad: which values are; None: as said above.
    """
    is_backward = which == "backward"
    if is_bad is None:
        is_bad = np.isnan if not is_backward and writes_infinity(source) else is_not_finite
    search = _Search(trace, layer, source, is_backward, batch, is_bad)
    first, order = search.round_by_round(), order_of(trace, layer)
    return first if first is None or order is None else search.before(first, order)


@dataclass(frozen=True)
class _Search:
    trace: Trace
    layer: int
    source: Source
    is_backward: bool
    batch: int | None
    is_bad: IsBad

    def round_by_round(self) -> BadBinding | None:
        """The first one of the first round that has any."""
        lengths = lengths_of(self.trace, self.layer)
        place = first_over_time([*self._timed()], self.is_backward, lengths, self.batch, self.is_bad)
        if place is None:
            return None
        t = place[1]
        for number, name, values in self._bindings(t):
            if (bad := self._of(number, name, t, values)) is not None:
                return bad
        return None

    def before(self, first: BadBinding, order: Array) -> BadBinding:
        """The one that was bound first of all, as what is bound for all rounds at once is before any of them.

        Args:
            first: of the first round that has any.
            order: of the bindings, (stages, T).
        """
        if first.stage is None:
            return first
        sign, prefix = (-1, "d") if self.is_backward else (1, "")
        best, earliest = first, sign * int(order[first.stage, first.t])
        for number, stage in enumerate(self.source.stages):
            moments, name = sign * order[number], prefix + stage.variable
            # In the rounds walked through to the first there is none.
            walked = np.arange(len(moments)) * sign < first.t * sign
            times = np.flatnonzero((order[number] != NEVER) & (moments < earliest) & ~walked)
            if len(times) > 1:
                times = times[times == self._first_round(name)]
            for t in times.tolist():
                values = values_at(self.trace, self.layer, name, t, stage.inner_step)
                bad = None if values is None else self._of(number, name, t, values)
                if bad is not None:
                    best, earliest = bad, int(moments[t])
        return best

    def _first_round(self, name: str) -> int:
        """The first round of the pass in which one name is bad in the end; −1 where there is none."""
        values = self.trace.arrays.get(array_key(name, self.layer, DIRECTION))
        if values is None:
            return -1
        lengths = lengths_of(self.trace, self.layer)
        place = first_over_time([Timed(name, values)], self.is_backward, lengths, self.batch, self.is_bad)
        return -1 if place is None else place[1]

    def _of(self, stage: int | None, name: str, t: int, values: Array) -> BadBinding | None:
        """The first bad value of a binding, (B, units)."""
        present = t < np.asarray(lengths_of(self.trace, self.layer))
        if self.batch is not None:
            present &= np.arange(self.trace.batch) == self.batch
        bad = self.is_bad(values) & present[:, None]
        if not bad.any():
            return None
        sequence, unit = (int(at) for at in np.unravel_index(bad.argmax(), bad.shape))
        return BadBinding(name, t, unit, sequence, float(values[sequence, unit]), stage)

    def _bindings(self, t: int) -> Iterator[tuple[int | None, str, Array]]:
        """(stage, quantity, values (B, units)) of a round, in the order of the pass."""
        trace, layer, source = self.trace, self.layer, self.source
        staged = {stage.variable for stage in source.stages}
        arguments = [(None, v.name, -1) for v in source.variables if v.name not in staged]
        stages = [
            (number, stage.variable, stage.inner_step)
            for number, stage in enumerate(source.stages)
            if is_bound(trace, layer, source, number, t)
        ]
        order = [*arguments, *stages]
        for number, variable, inner_step in reversed(order) if self.is_backward else order:
            name = "d" + variable if self.is_backward else variable
            values = values_at(trace, layer, name, t, inner_step)
            if values is not None:
                yield number, name, values

    def _timed(self) -> Iterator[Timed]:
        """Every array of values, or of derivatives, over time."""
        prefix = "d" if self.is_backward else ""
        for variable in self.source.variables:
            for before in ("", "inner/"):
                key = array_key(before + prefix + variable.name, self.layer, DIRECTION)
                array = self.trace.arrays.get(key)
                if array is not None:
                    yield Timed(variable.name, cast(Array, _InnerSteps(array)) if before else array)


class _InnerSteps:
    """(T, inner steps, B, units) as (T, B, inner steps · units), read where it is indexed."""

    def __init__(self, values: Array) -> None:
        steps, inner, batch, units = values.shape
        self._values, self.shape = values, (steps, batch, inner * units)

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, index: tuple[slice, slice]) -> Any:
        times, sequences = index
        block = np.asarray(self._values[times, :, sequences])
        return np.swapaxes(block, 1, 2).reshape(*block.shape[::2], self.shape[2])

"""The first NaN or inf of recorded code, in the order in which its lines were run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, cast

import numpy as np

from lstmtui.analysis.first_bad.in_blocks import IsBad, Timed, Which, first_over_time, is_not_finite
from lstmtui.analysis.stage_values import DIRECTION, is_bound, values_at
from lstmtui.analysis.statements import writes_infinity
from lstmtui.arrays import Array
from lstmtui.trace import Trace
from lstmtui.trace.keys import array_key
from lstmtui.trace.lengths import lengths_of
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

    Arguments come first, then the bindings in their order; backward it is the same in reverse. Code that
    names infinity, as what fills a mask with −inf does, has it as a number like any other: there only NaN
    is bad in the forward pass.

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
    timed = list(_timed(trace, layer, source, "d" if is_backward else ""))
    lengths = lengths_of(trace, layer)
    place = first_over_time(timed, is_backward, lengths, batch, is_bad)
    if place is None:
        return None
    t = place[1]
    present = t < np.asarray(lengths)
    if batch is not None:
        present &= np.arange(trace.batch) == batch
    for number, name, values in _bindings(trace, layer, source, t, is_backward=is_backward):
        bad = is_bad(values) & present[:, None]
        if bad.any():
            sequence, unit = (int(at) for at in np.unravel_index(bad.argmax(), bad.shape))
            return BadBinding(name, t, unit, sequence, float(values[sequence, unit]), number)
    return None


def _bindings(
    trace: Trace, layer: int, source: Source, t: int, *, is_backward: bool
) -> Iterator[tuple[int | None, str, Array]]:
    """(stage, quantity, values (B, units)) of a round, in the order of the pass."""
    staged = {stage.variable for stage in source.stages}
    arguments = [(None, v.name, -1) for v in source.variables if v.name not in staged]
    stages = [
        (number, stage.variable, stage.inner_step)
        for number, stage in enumerate(source.stages)
        if is_bound(trace, layer, source, number, t)
    ]
    order = [*arguments, *stages]
    for number, variable, inner_step in reversed(order) if is_backward else order:
        name = "d" + variable if is_backward else variable
        values = values_at(trace, layer, name, t, inner_step)
        if values is not None:
            yield number, name, values


def _timed(trace: Trace, layer: int, source: Source, prefix: str) -> Iterator[Timed]:
    """Every array of values, or of derivatives, over time."""
    for variable in source.variables:
        for before in ("", "inner/"):
            key = array_key(before + prefix + variable.name, layer, DIRECTION)
            array = trace.arrays.get(key)
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

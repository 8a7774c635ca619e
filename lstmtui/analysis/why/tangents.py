"""What a small change of a number becomes at later timesteps: a sweep forward through recorded gates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from lstmtui.analysis.why.layer_numbers import LayerNumbers
from lstmtui.analysis.why.uses import Use, block_size, flushed, uses_of
from lstmtui.arrays import Array
from lstmtui.cells.arithmetic import back_through_layer_norm

Tangents = dict[str, Array]
"""By quantity, the derivative of each unit by the seeds, (units, seeds); without those that are 0."""


def sweep(numbers: LayerNumbers, at: int, seeds: Mapping[str, Array], stop: int) -> Iterator[Tangents]:
    """The tangents at each place from `at` to before `stop`.

    Args:
        numbers: of the layer.
        at: the place of the seeds.
        seeds: the derivatives of quantities of that place, (units, seeds); what is evaluated after them
            there follows from them.
        stop: the place to stop at.

    Raises:
        UserError: the trace does not hold a parameter.
    """
    size = block_size(numbers)
    before: Tangents = {}
    for first in range(at, stop, size):
        last = min(first + size, stop)
        with np.errstate(all="ignore"):
            uses = uses_of(numbers, first, last)
        is_set = {q: numbers.set_units(q, first, last) for q in numbers.edited}
        for place in range(first, last):
            before = {s: v for s, v in before.items() if not numbers.was_changed(s, place)}
            now = _step(uses, is_set, before, seeds if place == at else {}, place - first)
            yield now
            before = {s: flushed(now[s]) for s in numbers.cell.states if s in now}


def _step(
    uses: Mapping[str, tuple[Use, ...]],
    is_set: Mapping[str, Array],
    before: Tangents,
    seeds: Mapping[str, Array],
    number: int,
) -> Tangents:
    now: Tangents = {}
    for quantity, ways in uses.items():
        total: Array | None = seeds.get(quantity)
        for use in ways:
            source = (before if use.is_old else now).get(use.source)
            if source is not None and quantity not in seeds:
                along = _along(use, source, number)
                total = along if total is None else total + along
        if total is not None:
            if quantity in is_set and quantity not in seeds:
                total = np.where(is_set[quantity][number][:, None], 0.0, total)
            now[quantity] = total
    return now


def _along(use: Use, values: Array, number: int) -> Array:
    for kind, array in use.operations:
        if kind == "scale":
            values = array[number][:, None] * values
        elif kind == "matrix":
            values = array @ values
        else:
            # The derivative of layer normalization is the same forwards and backwards.
            values = back_through_layer_norm(values.T, array[number]).T
    return values

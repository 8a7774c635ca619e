"""What h of a timestep depends on at every earlier one: a sweep back through recorded gates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from lstmtui.analysis.why.layer_numbers import LayerNumbers
from lstmtui.analysis.why.uses import FLUSHES, Use, block_size, flushed, uses_of
from lstmtui.arrays import Array
from lstmtui.cells.arithmetic import back_through_layer_norm


@dataclass(frozen=True, eq=False)
class Dependence:
    """Derivatives of the seeds at one place, each (seeds, units); what nothing depends on is left out."""

    place: int
    before: Mapping[str, Array]
    """By each state that the place began from, the other states held still."""
    x: Array | None
    """By its input."""


def sweep_back(
    numbers: LayerNumbers,
    at: int,
    seeds: Mapping[int, Array],
    dtype: type = np.float64,
    *,
    with_x: bool = True,
) -> Iterator[Dependence]:
    """The derivatives at each place from `at` back to the first.

    Args:
        numbers: of the layer.
        at: the last place.
        seeds: by place, what h of it is multiplied by, (seeds, units); those of earlier places come after
            those of later ones.
        dtype: to work in.
        with_x: whether the derivatives by x are wanted, too.

    Raises:
        UserError: the trace does not hold a parameter.
    """
    after = dict[str, Array]()
    output = numbers.cell.states[0]
    for slopes in _slopes_back(numbers, at, dtype, with_x):
        if slopes.place in seeds:
            after = _with_seeds(after, output, seeds[slopes.place].astype(dtype))
        before, x = _back(numbers, slopes, after)
        yield Dependence(slopes.place, before, x)
        after = {s: v for s, v in before.items() if not numbers.was_changed(s, slopes.place)}
        if slopes.place % FLUSHES == 0:
            after = {s: flushed(v) for s, v in after.items()}


@dataclass(frozen=True, eq=False)
class StepJacobian:
    """The derivatives of all states that a place ends with, one after the other, (units of all states, ·)."""

    place: int
    by_before: Array
    """By all states that it began from."""
    by_x: Array
    """By its input."""
    carried: Array
    """Which of those that it began from are what the place before ended with, (units of all states,)."""


def step_jacobians(numbers: LayerNumbers, at: int, *, with_x: bool = True) -> Iterator[StepJacobian]:
    """The Jacobian of each place from `at` back to the first, in float64.

    Args:
        numbers: of the layer.
        at: the last place.
        with_x: whether the derivatives by x are wanted, too; else they are 0.

    Raises:
        UserError: the trace does not hold a parameter.
    """
    states = numbers.cell.states
    sizes = [numbers.layer.size(state) for state in states]
    count = sum(sizes)
    each: dict[str, Array] = {
        s: np.eye(count, size, -sum(sizes[:n])) for n, (s, size) in enumerate(zip(states, sizes, strict=True))
    }
    nothing = {s: np.zeros_like(values) for s, values in each.items()}
    no_x: Array = np.zeros((count, numbers.layer.size("x")))
    for slopes in _slopes_back(numbers, at, np.float64, with_x):
        before, x = _back(numbers, slopes, each)
        carried = [not numbers.was_changed(s, slopes.place) for s in states]
        yield StepJacobian(
            slopes.place,
            np.concatenate([before.get(s, nothing[s]) for s in states], axis=1),
            no_x if x is None else x,
            np.repeat(carried, sizes),
        )


@dataclass(frozen=True, eq=False)
class _Slopes:
    """The factors of an equation's derivatives at one place."""

    place: int
    uses: Mapping[str, tuple[Use, ...]]
    is_set: Mapping[str, Array]
    number: int
    """Of the place, among those whose slopes the arrays hold."""


def _slopes_back(numbers: LayerNumbers, at: int, dtype: type, with_x: bool) -> Iterator[_Slopes]:
    """The slopes at each place from `at` back to the first."""
    size = block_size(numbers)
    for stop in range(at + 1, 0, -size):
        first = max(0, stop - size)
        with np.errstate(all="ignore"):
            uses = {q: _cast(ways, dtype, with_x) for q, ways in uses_of(numbers, first, stop).items()}
        is_set = {q: numbers.set_units(q, first, stop) for q in numbers.edited}
        for place in range(stop - 1, first - 1, -1):
            yield _Slopes(place, uses, is_set, place - first)


def _with_seeds(after: dict[str, Array], output: str, seeds: Array) -> dict[str, Array]:
    """The seeds, with more behind them."""
    count = max((len(values) for values in after.values()), default=0)
    rows = {
        state: np.concatenate([values, np.zeros((len(seeds), values.shape[1]), values.dtype)])
        for state, values in after.items()
    }
    own = rows.get(output, np.zeros((count + len(seeds), seeds.shape[1]), seeds.dtype))
    own[count:] = seeds
    return {**rows, output: own}


def _back(
    numbers: LayerNumbers, slopes: _Slopes, after: Mapping[str, Array]
) -> tuple[dict[str, Array], Array | None]:
    """The derivatives by the old states and by x of a place, from those by its new states."""
    now, before, is_set, number = dict(after), dict[str, Array](), slopes.is_set, slopes.number
    for quantity, ways in reversed(list(slopes.uses.items())):
        values = now.pop(quantity, None)
        if values is None:
            continue
        if quantity in is_set:
            values = np.where(is_set[quantity][number], 0, values)
        for use in ways:
            brought = _along(use, values, number)
            units = numbers.layer.size(use.source)
            if brought.shape[-1] != units:
                brought = brought.sum(axis=-1, keepdims=True) if units == 1 else brought + np.zeros(units)
            to = before if use.is_old else now
            to[use.source] = brought if use.source not in to else to[use.source] + brought
    return before, now.get("x")


def _along(use: Use, values: Array, number: int) -> Array:
    for kind, array in reversed(use.operations):
        if kind == "scale":
            values = values * array[number]
        elif kind == "matrix":
            values = values @ array
        else:
            values = back_through_layer_norm(values, array[number])
    return values


def _cast(ways: tuple[Use, ...], dtype: type, with_x: bool) -> tuple[Use, ...]:
    return tuple(
        Use(use.source, use.is_old, tuple((kind, array.astype(dtype)) for kind, array in use.operations))
        for use in ways
        if with_x or use.source != "x"
    )

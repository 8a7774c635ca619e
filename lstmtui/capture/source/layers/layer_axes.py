"""Which axes of a tensor are layers or the like because each item along them is what a name is bound to."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import combinations
from math import prod
from typing import TypeAlias

from torch import Tensor

from lstmtui.capture.source.bindings import Binding
from lstmtui.capture.source.layers.series import Series

Axes: TypeAlias = tuple[int, ...]

_ROUNDS = 3
"""The last of a run are looked at: in the first, states may hold nothing but zeros."""
_COMPARED_FIRST = 16
"""Numbers of an item that are compared before all of them are."""


def layer_axes(
    part: Series,
    rounds: Sequence[Sequence[Binding]],
    candidates: Collection[int],
    units_of: Callable[[Binding], Collection[int]],
) -> frozenset[int]:
    """The axes of a name's tensors along which that round, or the next, has every item by itself.

    As of `h[layer] = cell(x, h[layer])`, where each `cell(…)` is of all sequences; and the axes known
    to be units of such items. Items without an axis that may be the sequences tell nothing: sequences may be
    taken one by one as well.

    Args:
        part: the name.
        rounds: what each round bound.
        candidates: the axes that may be the sequences; they are of one size.
        units_of: says which axes of what is bound are known to be units.
    """
    for number in [n for n, own in enumerate(part.rounds) if own][: -_ROUNDS - 1 : -1]:
        whole, near = part.rounds[number][-1].value, rounds[number : number + 2]
        places: dict[Axes, set[int]] = {}
        units: dict[Axes, set[int]] = {}
        for binding in (binding for own in near for binding in own):
            for axes, place in _places_of(binding.value, whole):
                left = [n for n in range(whole.dim()) if n not in axes]
                of_item = {left[n] for n in units_of(binding)}
                if {*candidates} - {*axes} - of_item:
                    places.setdefault(axes, set()).add(place)
                    units.setdefault(axes, set()).update(of_item)
        complete = [axes for axes, own in places.items() if len(own) == prod(whole.shape[n] for n in axes)]
        every = frozenset(n for axes in complete for n in (*axes, *units[axes]))
        if every & {*candidates}:
            return every if not every >= {*candidates} else frozenset()
    return frozenset()


def _places_of(item: Tensor, whole: Tensor) -> Iterator[tuple[Axes, int]]:
    """The axes along which a tensor is one item of another, and which item; none where several are alike."""
    missing = whole.dim() - item.dim()
    if missing < 1 or item.dim() < 2 or item.dtype is not whole.dtype or item.device != whole.device:
        return
    for axes in combinations(range(whole.dim()), missing):
        left = [n for n in range(whole.dim()) if n not in axes]
        if tuple(whole.shape[n] for n in left) == tuple(item.shape):
            items = whole.permute(*axes, *left).flatten(0, missing - 1).flatten(1)
            numbers = item.flatten()
            begin = (items[:, :_COMPARED_FIRST] == numbers[:_COMPARED_FIRST]).all(1)
            same = [n for n in begin.nonzero().flatten().tolist() if (items[n] == numbers).all()]
            if len(same) == 1:
                yield axes, same[0]

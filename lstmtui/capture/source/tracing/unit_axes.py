"""Which axes of a tensor are units by where they come from: sizes cannot feign that.

An axis is units where it is one of a parameter. Where a weight was applied to each row of another axis, as of
the sequences, all axes that are no such rows are units: layers that were stacked, scales, a window.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from functools import cached_property
from itertools import islice
from typing import Any, TypeAlias

from torch import nn

from lstmtui.capture.axes import Axes, Factor, broadcast, is_known, is_rows, is_units
from lstmtui.capture.origins.graph_axes import FOLLOWED, PRODUCTS, End, after, name_of, shape_of
from lstmtui.capture.source.bindings import Binding
from lstmtui.capture.source.tracing.seen import Seen

_MOST_NODES = 2_000
"""Of a graph that are looked at: those of a timestep, and of what its first state is computed from."""
_ROUNDS = 2

Known: TypeAlias = Mapping[Hashable, frozenset[int]]
"""The axes that are known to be units, by the identity of a tensor or by where one of its shape was bound."""


class UnitAxes:
    """The axes of tensors in autograd's graph that are units.

    Args:
        known: those of tensors whose graph is gone.
        bindings: all, of which some may be the first of a tensor that has another name since.
    """

    def __init__(self, known: Known | None = None, bindings: Iterable[Binding] = ()) -> None:
        self._known, self._bindings = known or {}, bindings
        self._done: dict[End, Axes | None] = {}

    @cached_property
    def _first(self) -> dict[int, Seen]:
        """The first bindings of tensors, by identity."""
        return {seen.identity: seen for seen in self._bindings if isinstance(seen, Seen)}

    def of(self, bindings: Iterable[Binding]) -> frozenset[int]:
        """The axes of what a name is bound to that are known to be units.

        Args:
            bindings: of the name, in the order of the rounds.
        """
        bindings = list(bindings)
        looked_at = bindings[: _ROUNDS + 1] if self._known else []
        for key in (*[b.identity for b in looked_at], *map(_place_of, looked_at)):
            if key in self._known:
                return self._known[key]
        first = (b if isinstance(b, Seen) else self._first.get(b.identity) for b in bindings)
        ends = ((seen.end, seen.output) for seen in first if seen is not None and _is_computed(seen))
        for end in islice(ends, _ROUNDS):
            try:
                axes = self._followed(end)
            except (AttributeError, LookupError, RuntimeError, ValueError, ArithmeticError, TypeError):
                continue  # other versions of torch may keep other facts of an operation
            units = frozenset[int]() if axes is None else _units_of(axes)
            # Of what begins as a parameter, one for each sequence, all axes are: then that tells nothing.
            if axes is not None and 0 < len(units) < len(axes.axes):
                return units
        return frozenset()

    def is_of_parameters(self, binding: Binding) -> bool:
        """Whether a value is computed of parameters alone, as a matrix is that is kept orthogonal.

        Not where the graph is gone, or where an operation also has what no graph tells of.
        """
        seen = binding if isinstance(binding, Seen) else self._first.get(binding.identity)
        if seen is None or not _is_computed(seen):
            return False
        nodes, waiting = {seen.end}, [seen.end]
        while waiting and len(nodes) < _MOST_NODES:
            here = waiting.pop()
            if name_of(here) == "AccumulateGrad":
                if not isinstance(here.variable, nn.Parameter):
                    return False
                continue
            for node, _ in here.next_functions:
                if node is None:
                    return False
                if node not in nodes:
                    nodes.add(node)
                    waiting.append(node)
        return not waiting

    def _followed(self, end: End) -> Axes | None:
        waiting, count = [end], 0
        while waiting and count + len(waiting) < _MOST_NODES:
            if waiting[-1] in self._done:
                waiting.pop()
                continue
            sources = [(node, number) for node, number in waiting[-1][0].next_functions]
            missing = [source for source in sources if source[0] is not None and source not in self._done]
            if missing:
                waiting.extend(missing)
            else:
                last = waiting.pop()
                self._done[last] = _after(last, [self._done.get(source) for source in sources])
                count += 1
        return self._done.get(end)


def known_units(bindings: Iterable[Binding]) -> Known:
    """The axes that are known to be units, of the first tensors of each name.

    For when the graph is let go of, before it is known what the names are.
    """
    first: dict[tuple[int, str, int], list[Binding]] = {}
    by_identity: dict[int, Seen] = {}
    for binding in bindings:
        if isinstance(binding, Seen) and _is_computed(binding):
            by_identity[binding.identity] = binding
        if binding.identity in by_identity:
            own = first.setdefault((id(binding.call.code), binding.name, binding.line), [])
            if len(own) < _ROUNDS:
                own.append(by_identity[binding.identity])
    axes = UnitAxes()
    known: dict[Hashable, frozenset[int]] = {}
    several = set[Hashable]()
    for (code, name, line), own in first.items():
        for seen in own:
            units = axes.of([seen])
            place = code, name, line, seen.value.shape
            if known.get(place, units) != units:
                several.add(place)
            known[seen.identity] = known[place] = units
    return {key: units for key, units in known.items() if units and key not in several}


def _place_of(binding: Binding) -> Hashable:
    return id(binding.call.code), binding.name, binding.line, binding.value.shape


def _is_computed(seen: Seen) -> bool:
    return seen.end is not None and not seen.leaf


def _units_of(axes: Axes) -> frozenset[int]:
    units = frozenset(n for n, axis in enumerate(axes.axes) if is_units(axis))
    rows = frozenset(n for n, axis in enumerate(axes.axes) if is_rows(axis))
    return frozenset(range(len(axes.axes))) - rows if rows else units


def _after(end: End, parts: list[Axes | None]) -> Axes | None:
    """What the axes of a result come from, given the same of what it is made of."""
    node, name = end[0], name_of(end[0])
    if name == "AccumulateGrad":
        return _of_leaf(node.variable)
    shape = shape_of(end)
    if name == "Embedding" and parts[0] is not None:
        rows = Axes(tuple((_row(size),) for size in shape))
        return rows.changed(len(shape) - 1, parts[0].axes[-1])
    if name in PRODUCTS:
        return _with_rows(after(end, parts), *parts[-2:])
    if name not in FOLLOWED:
        # Of any other operation what has the shape of its result tells, but no weight beside others.
        several = len(node.next_functions) > 1
        parts = [
            None
            if part is None or part.shape != shape or (several and name_of(source) == "AccumulateGrad")
            else part
            for part, (source, _) in zip(parts, node.next_functions, strict=True)
        ]
        if not name:  # a function of the user's with a backward of its own, or what a recorded layer returns
            return broadcast(shape, [part for part in parts if part is not None])
    return after(end, parts)


def _with_rows(product: Axes | None, left: Axes | None, right: Axes | None) -> Axes | None:
    """A product of matrices with the rows of the one that the other, a weight, was applied to."""
    for weight, place in ((right, -2), (left, -1)):
        if product is not None and weight is not None and all(map(is_units, weight.axes[-2:])):
            place += len(product.axes)
            if not is_known(product.axes[place]):
                return product.changed(place, (_row(product.shape[place]),))
    return product


def _row(size: int) -> Factor:
    return Factor("rows" if size > 1 else "", size)


def _of_leaf(leaf: Any) -> Axes | None:
    if not isinstance(leaf, nn.Parameter):
        return None
    # An axis of one number is spread over any other.
    return Axes(tuple((Factor("units" if size > 1 else "", size),) for size in leaf.shape))

"""Which axes of a tensor are units because a parameter's axis is one of them: sizes cannot feign that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from torch import nn

from lstmtui.capture.axes import Axes, Factor, is_units, unknown
from lstmtui.capture.graph.graph_axes import FOLLOWED, End, after, name_of, shape_of
from lstmtui.capture.source.bindings import Binding
from lstmtui.capture.source.seen import Seen

_MOST_NODES = 2_000
"""Of a graph that are looked at: those of a timestep, and of what its first state is computed from."""
_ROUNDS = 2


class UnitAxes:
    """The axes of tensors in autograd's graph that come from parameters.

    Args:
        known: those of tensors whose graph is gone, by their identities.
    """

    def __init__(self, known: Mapping[int, frozenset[int]] | None = None) -> None:
        self._known = known or {}
        self._done: dict[End, Axes | None] = {}

    def of(self, bindings: Iterable[Binding]) -> frozenset[int]:
        """The axes of what a name is bound to that are known to be a parameter's.

        Args:
            bindings: of the name, in the order of the rounds.
        """
        bindings = list(bindings)
        for binding in bindings[: _ROUNDS + 1] if self._known else ():
            if binding.identity in self._known:
                return self._known[binding.identity]
        ends = [(b.end, b.output) for b in bindings if isinstance(b, Seen) and _is_computed(b)]
        for end in ends[:_ROUNDS]:
            try:
                axes = self._followed(end)
            except (AttributeError, LookupError, RuntimeError, ValueError, ArithmeticError, TypeError):
                continue  # other versions of torch may keep other facts of an operation
            units = [] if axes is None else [n for n, axis in enumerate(axes.axes) if is_units(axis)]
            # Of what begins as a parameter, one for each sequence, all axes are: then that tells nothing.
            if axes is not None and 0 < len(units) < len(axes.axes):
                return frozenset(units)
        return frozenset()

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


def units_by_tensor(bindings: Iterable[Binding]) -> dict[int, frozenset[int]]:
    """The axes that are known to be a parameter's, of the first tensors of each name, by their identities.

    For when the graph is let go of, before it is known what the names are.
    """
    first: dict[tuple[int, str, int], list[Seen]] = {}
    for binding in bindings:
        if isinstance(binding, Seen) and _is_computed(binding):
            own = first.setdefault((id(binding.call.code), binding.name, binding.line), [])
            if len(own) < _ROUNDS:
                own.append(binding)
    axes = UnitAxes()
    known = {seen.identity: axes.of([seen]) for own in first.values() for seen in own}
    return {identity: units for identity, units in known.items() if units}


def _is_computed(seen: Seen) -> bool:
    return seen.end is not None and not seen.leaf


def _after(end: End, parts: list[Axes | None]) -> Axes | None:
    """What the axes of a result come from, given the same of what it is made of."""
    node, name = end[0], name_of(end[0])
    if name == "AccumulateGrad":
        return _of_leaf(node.variable)
    shape = shape_of(end)
    if name == "Embedding" and parts[0] is not None:
        return unknown(shape).changed(len(shape) - 1, parts[0].axes[-1])
    if name not in FOLLOWED:
        # Of any other operation what has the shape of its result tells, but no weight beside others.
        several = len(node.next_functions) > 1
        parts = [
            None
            if part is None or part.shape != shape or (several and name_of(source) == "AccumulateGrad")
            else part
            for part, (source, _) in zip(parts, node.next_functions, strict=True)
        ]
    return after(end, parts)


def _of_leaf(leaf: Any) -> Axes | None:
    if not isinstance(leaf, nn.Parameter):
        return None
    # An axis of one number is spread over any other.
    return Axes(tuple((Factor("units" if size > 1 else "", size),) for size in leaf.shape))

"""Which parameters the passes of a loop compute with: those of a loop over layers have some of their own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from torch import nn

from lstmtui.capture.source.bindings import Binding
from lstmtui.capture.source.seen import Seen
from lstmtui.capture.source.time_loops import Loop, Place, pass_of

_MOST_NODES = 2_000
"""Of the graph of a pass that are looked at."""


class LoopWeights:
    """The parameters that autograd's graph has behind what passes have bound.

    Args:
        bindings: all, in order.
    """

    def __init__(self, bindings: Iterable[Binding]) -> None:
        self._made: dict[Any, int] = {}
        """By a node of the graph, the order of the first binding of what it made."""
        for b in bindings:
            if isinstance(b, Seen) and b.end is not None and not b.leaf:
                self._made.setdefault(b.end, b.order)

    def differ(self, loop: Loop, bound: Iterable[tuple[Binding, Place]]) -> bool:
        """Whether passes of a loop that follow each other each compute with parameters that the other lacks.

        Args:
            loop: which.
            bound: what was bound, with the loops that it was in.
        """
        passes: dict[tuple[int, ...], dict[int, list[Binding]]] = defaultdict(lambda: defaultdict(list))
        for binding, place in bound:
            number = pass_of(place, loop)
            if number is not None:
                passes[tuple(n for _, n in place[: len(loop) - 1])][number].append(binding)
        several = next((own for own in passes.values() if len(own) > 1), {})
        *_, before, after = [frozenset[int](), frozenset[int](), *map(self._of, list(several.values())[:3])]
        return bool(before - after and after - before)

    def _of(self, bindings: Sequence[Binding]) -> frozenset[int]:
        """The ids of the parameters that a pass computes with, behind what was bound before it."""
        start = min(b.order for b in bindings)
        waiting = [b.end for b in bindings if isinstance(b, Seen) and b.end is not None and not b.leaf]
        seen, weights = {*waiting}, set[int]()
        while waiting and len(seen) < _MOST_NODES:
            for node, _ in waiting.pop().next_functions:
                if node is None or node in seen or self._made.get(node, start) < start:
                    continue
                seen.add(node)
                leaf = getattr(node, "variable", None)
                if isinstance(leaf, nn.Parameter):
                    weights.add(id(leaf))
                else:
                    waiting.append(node)
        return frozenset(weights)

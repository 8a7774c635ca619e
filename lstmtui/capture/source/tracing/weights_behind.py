"""Which parameters a value was computed with, by autograd's graph."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import nn

from lstmtui.capture.source.bindings import Binding
from lstmtui.capture.source.tracing.seen import Seen

FIRST_PASSES = 3
"""Of each loop: what these have bound tells which parameters it computes with."""
_MOST_NODES = 2_000
"""Of a graph that are looked at behind what a name is bound to."""


class WeightsBehind:
    """The parameters that autograd's graph has behind what names are bound to.

    Args:
        bindings: all.
    """

    def __init__(self, bindings: Iterable[Binding]) -> None:
        own = (b for b in bindings if isinstance(b, Seen) and b.end is not None and not b.leaf)
        self._made = {b.end for b in own}
        """The nodes of what names were bound to."""

    def of(self, binding: Binding) -> frozenset[int]:
        """The ids of the parameters that a value is computed with, behind what other names were bound to."""
        if not isinstance(binding, Seen) or binding.leaf:
            return frozenset()
        if binding.end is None:
            return binding.weights
        seen, waiting, weights = {binding.end}, [binding.end], set[int]()
        while waiting and len(seen) < _MOST_NODES:
            for node, _ in waiting.pop().next_functions:
                if node is None or node in seen or node in self._made:
                    continue
                seen.add(node)
                leaf: Any = getattr(node, "variable", None)
                if isinstance(leaf, nn.Parameter):
                    weights.add(id(leaf))
                else:
                    waiting.append(node)
        return frozenset(weights)


def note_weights(bindings: Iterable[Binding]) -> None:
    """Keep the parameters of what the first passes of loops have bound, for when the graph is let go of."""
    every = [b for b in bindings if isinstance(b, Seen)]
    weights = WeightsBehind(every)
    for seen in every:
        if _is_in_first_passes(seen):
            seen.weights = weights.of(seen)


def _is_in_first_passes(binding: Binding) -> bool:
    call, passes = binding.call, binding.passes
    while all(number < FIRST_PASSES for _, number in passes):
        if call.caller is None:
            return True
        call, passes = call.caller, call.passes
    return False

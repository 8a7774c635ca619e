"""Which parameters the passes of a loop compute with: those of a loop over layers have some of their own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from torch import nn

from lstmtui.capture.source.bindings import Binding
from lstmtui.capture.source.seen import Seen
from lstmtui.capture.source.time_loops import Loop, Place, pass_of

_MOST_NODES = 2_000
"""Of a graph that are looked at behind what a name is bound to."""
_PASSES = 3
"""Of each loop that are looked at."""


class LoopWeights:
    """The parameters that autograd's graph has behind what passes have bound.

    Args:
        bindings: all.
    """

    def __init__(self, bindings: Iterable[Binding]) -> None:
        own = (b for b in bindings if isinstance(b, Seen) and b.end is not None and not b.leaf)
        self._made = {b.end for b in own}
        """The nodes of what names were bound to."""

    def differ(self, loop: Loop, bound: Iterable[tuple[Binding, Place]]) -> bool:
        """Whether passes of a loop that follow each other each compute with parameters that the other lacks.

        Args:
            loop: which.
            bound: what was bound, with the loops that it was in.
        """
        passes: dict[tuple[int, ...], dict[int, list[Binding]]] = defaultdict(lambda: defaultdict(list))
        for binding, place in bound:
            number = pass_of(place, loop)
            if number is not None and number < _PASSES:
                passes[tuple(n for _, n in place[: len(loop) - 1])][number].append(binding)
        several = next((own for own in passes.values() if len(own) > 1), {})
        each = [frozenset[int]().union(*map(self.of, own)) for own in several.values()]
        return len(each) > 1 and bool(each[-1] - each[-2] and each[-2] - each[-1])

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
    weights = LoopWeights(every)
    for seen in every:
        if _is_in_first_passes(seen):
            seen.weights = weights.of(seen)


def _is_in_first_passes(binding: Binding) -> bool:
    call, passes = binding.call, binding.passes
    while all(number < _PASSES for _, number in passes):
        if call.caller is None:
            return True
        call, passes = call.caller, call.passes
    return False

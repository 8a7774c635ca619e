"""Which parameters a value was computed with, by autograd's graph."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from torch import nn

from lstmtui.capture.source.bindings import Binding
from lstmtui.capture.source.tracing.seen import Seen

FIRST_PASSES = 3
"""Of each loop: what these have bound tells which parameters it computes with."""
_MOST_NODES = 2_000
"""Of a graph that are looked at behind what a name is bound to."""


class NodesBehind:
    """The operations that autograd's graph has behind what names are bound to.

    Args:
        bindings: all.
    """

    def __init__(self, bindings: Iterable[Binding]) -> None:
        own = (b for b in bindings if isinstance(b, Seen) and b.end is not None and not b.leaf)
        self._made = {b.end for b in own}
        """The nodes of what names were bound to."""

    def of(self, binding: Seen) -> Iterator[Any]:
        """The nodes that a value was made by, up to what other names were bound to; none of a leaf."""
        if binding.end is None or binding.leaf:
            return
        seen, waiting = {binding.end}, [binding.end]
        while waiting and len(seen) < _MOST_NODES:
            here = waiting.pop()
            yield here
            for node, _ in here.next_functions:
                if node is not None and node not in seen and node not in self._made:
                    seen.add(node)
                    waiting.append(node)


class WeightsBehind:
    """The parameters that autograd's graph has behind what names are bound to.

    Args:
        bindings: all.
    """

    def __init__(self, bindings: Iterable[Binding]) -> None:
        self._nodes = NodesBehind(bindings)

    def of(self, binding: Binding) -> frozenset[int]:
        """The ids of the parameters that a value is computed with, behind what other names were bound to."""
        if not isinstance(binding, Seen) or binding.leaf:
            return frozenset()
        if binding.end is None:
            return binding.weights
        leaves: Iterator[Any] = (getattr(node, "variable", None) for node in self._nodes.of(binding))
        return frozenset(id(leaf) for leaf in leaves if isinstance(leaf, nn.Parameter))


def note_weights(bindings: Iterable[Binding]) -> None:
    """Keep the parameters of what the first passes of loops have bound, for when the graph is let go of."""
    every = [b for b in bindings if isinstance(b, Seen)]
    weights = WeightsBehind(every)
    for seen in every:
        if is_in_first_passes(seen):
            seen.weights = weights.of(seen)


def is_in_first_passes(binding: Binding) -> bool:
    """Whether something was bound outside of all loops or in the first passes of each."""
    call, passes = binding.call, binding.passes
    while all(number < FIRST_PASSES for _, number in passes):
        if call.caller is None:
            return True
        call, passes = call.caller, call.passes
    return False

"""Operations that go along an axis, as parallel scans go along time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lstmtui.capture.origins.graph_axes import name_of, place_of
from lstmtui.capture.source.bindings import Binding
from lstmtui.capture.source.tracing.seen import Seen
from lstmtui.capture.source.tracing.weights_behind import NodesBehind, is_in_first_passes
from lstmtui.models.torch_compat import result_shape, saved

_SCANS = frozenset({"Cumsum", "Cumprod", "Cummax", "Cummin", "Logcumsumexp"})
_MOST_NODES = 1_000_000


def scanned_axes(node: Any) -> set[tuple[int, int]]:
    """The axes that cumulative operations of a graph go along, each with its size.

    Args:
        node: of the result.
    """
    seen, waiting, axes = {node}, [node], set()
    while waiting and len(seen) < _MOST_NODES:
        here = waiting.pop()
        axes |= _scanned_by(here)
        for further, _ in here.next_functions:
            if further is not None and further not in seen:
                seen.add(further)
                waiting.append(further)
    return axes


def scanned_behind(bindings: Iterable[Binding]) -> set[tuple[int, int]]:
    """The same behind what is bound outside of loops and in their first passes.

    For when the graph is let go of, before it is known what is over time.
    """
    every = [b for b in bindings if isinstance(b, Seen)]
    nodes = NodesBehind(every)
    return {
        axis for b in every if is_in_first_passes(b) for node in nodes.of(b) for axis in _scanned_by(node)
    }


def _scanned_by(node: Any) -> set[tuple[int, int]]:
    if name_of(node) not in _SCANS:
        return set()
    shape = result_shape(node, 0)
    place = place_of(saved(node, "dim"), len(shape))
    return {(place, shape[place])}

"""Operations that go along an axis, as parallel scans go along time."""

from __future__ import annotations

from typing import Any

from lstmtui.capture.origins.graph_axes import name_of, place_of
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
        if name_of(here) in _SCANS:
            shape = result_shape(here, 0)
            place = place_of(saved(here, "dim"), len(shape))
            axes.add((place, shape[place]))
        for further, _ in here.next_functions:
            if further is not None and further not in seen:
                seen.add(further)
                waiting.append(further)
    return axes

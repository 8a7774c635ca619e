"""Which parts of the input lie behind the tensors that an output was stacked from, by the graph alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from torch import Tensor
from torch.autograd.graph import GradientEdge, get_gradient_edge

from lstmtui.capture.loss.followed_input import Part
from lstmtui.capture.origins.graph_axes import name_of
from lstmtui.models.torch_compat import saved

_LARGEST = 2**63
"""Of the numbers that are kept as unsigned ones, half are negative."""
_NEAR = 64
"""So many nodes of the graph behind an output are looked at for where it was stacked."""


def latest_reached(ends: Sequence[GradientEdge], parts: Sequence[tuple[Part, int]]) -> list[int]:
    """The last timestep of the input behind each end, −1 where there is none: it depends on none later.

    It may depend on fewer: what a gradient comes to has to be asked for.

    Args:
        ends: where to begin.
        parts: of the input, each with its axis of time.
    """
    latest_at = _places(parts)
    behind: dict[Any, int] = {}
    for end in ends:
        _look_behind(end.node, latest_at, behind)
    return [latest_at.get((end.node, end.output_nr), behind[end.node]) for end in ends]


class Stacked(NamedTuple):
    """Where a graph stacks tensors of all timesteps."""

    node: Any
    axis: int
    """Of time, in what it has made; may count from the last."""
    ends: list[GradientEdge]
    """The tensors, in order of time."""


def stack_of(node: Any) -> Stacked | None:
    """What a node stacks; None where it is no such node."""
    if node is None or name_of(node) != "Stack":
        return None
    axis = int(saved(node, "dim"))
    sources = [GradientEdge(source, number) for source, number in node.next_functions if source is not None]
    return Stacked(node, axis if axis < _LARGEST else axis - 2 * _LARGEST, sources)


def stacked_behind(output: Tensor, steps: int, parts: Sequence[tuple[Part, int]]) -> Stacked | None:
    """Where the tensors of all timesteps were stacked from which alone an output was computed.

    None where they were not, or where some of the input gets into the output beside them.
    """
    waiting = [output.grad_fn]
    for node in waiting:
        stacked = stack_of(node)
        if stacked is not None and len(stacked.ends) == steps:
            behind = {node: -1}
            _look_behind(output.grad_fn, _places(parts), behind)
            return stacked if behind[output.grad_fn] < 0 else None
        if node is not None and len(waiting) < _NEAR:
            waiting += [source for source, _ in node.next_functions if source not in (None, *waiting)]
    return None


def _places(parts: Sequence[tuple[Part, int]]) -> dict[tuple[Any, int], int]:
    """The last timestep of each part of the input, by where it is in the graph."""
    latest_at: dict[tuple[Any, int], int] = {}
    for part, axis in parts:
        edge = get_gradient_edge(part.source) if isinstance(part.source, Tensor) else part.source
        place = edge.node, edge.output_nr
        latest_at[place] = max(latest_at.get(place, -1), int(part.times[axis].max()))
    return latest_at


def _look_behind(first: Any, latest_at: dict[tuple[Any, int], int], behind: dict[Any, int]) -> None:
    """Fill in what is behind a node and behind every node that it leads to."""
    waiting = [first]
    while waiting:
        node = waiting[-1]
        if node in behind:
            waiting.pop()
            continue
        edges = [(source, number) for source, number in node.next_functions if source is not None]
        unknown = [
            source for source, number in edges if (source, number) not in latest_at and source not in behind
        ]
        if unknown:
            waiting += unknown
            continue
        behind[node] = max((latest_at.get(edge, behind.get(edge[0], -1)) for edge in edges), default=-1)
        waiting.pop()

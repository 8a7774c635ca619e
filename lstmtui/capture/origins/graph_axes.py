"""What the operations of autograd's graph do to axes. Nothing is computed: a node knows its shapes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch

from lstmtui.capture.axes import Axes, Factor, broadcast, joined, unknown
from lstmtui.models.torch_compat import result_shape, saved

End = tuple[Any, int]
"""A result of an operation: its node in the graph, and its number among the operation's results."""

_VIEWS = ("View", "UnsafeView", "ReshapeAlias", "Unsqueeze", "Squeeze")
PRODUCTS = ("Mm", "Addmm", "Bmm", "Baddbmm")
"""Operations that multiply matrices, which come last of what they are given."""
_BROADCASTING = ("Add", "Sub", "Rsub", "Mul", "Div", "Where", "Maximum", "Minimum", "Pow", "Expand")
_REORDERING = re.compile("Index(?!Put|Fill|Add)|Flip|Roll|Sort|Gather|Take|Topk|Scatter|Fft|Unfold|Repeat")
"""Operations after which a position may hold what stood at another one."""


def shape_of(end: End) -> tuple[int, ...]:
    """The shape of a result."""
    node, number = end
    return result_shape(node, number)


def name_of(node: Any) -> str:
    """The name of an operation: "Transpose" of TransposeBackward0; empty for one of a user's own."""
    if isinstance(node, torch.autograd.function.BackwardCFunction):
        return ""
    return re.sub(r"Backward\d*$", "", str(node.name()).rpartition(":")[2])


def after(end: End, parts: Sequence[Axes | None]) -> Axes | None:
    """What the axes of a result mean.

    Args:
        end: the result.
        parts: the same of all that the operation was given; None for what tells nothing.

    Returns:
        None where nothing can be told.
    """
    node, shape = end[0], shape_of(end)
    inputs = [part for part in parts if part is not None]
    name = name_of(node)
    if not inputs or not name or (_REORDERING.match(name) and name not in _MOVES):
        return None
    if name in _MOVES:
        return _MOVES[name](end, inputs[0])
    if name in _VIEWS:
        return inputs[0].viewed(shape)
    if name in ("Stack", "Cat"):
        return _put_together(node, shape, parts)
    if name in PRODUCTS:
        return _product(shape, *parts[-2:])
    return broadcast(shape, inputs) if _aligns(node, name, shape, inputs) else None


def _aligns(node: Any, name: str, shape: tuple[int, ...], inputs: Sequence[Axes]) -> bool:
    """Whether an operation works position by position, or at least leaves axes where they are."""
    if any(len(part.axes) > len(shape) for part in inputs):
        return False
    full = any(len(shape_of(source)) == len(shape) for source in node.next_functions if source[0] is not None)
    return full or name in _BROADCASTING


def _put_together(node: Any, shape: tuple[int, ...], parts: Sequence[Axes | None]) -> Axes | None:
    pieces = [part for part in parts if part is not None]
    place = place_of(saved(node, "dim"), len(shape))
    if name_of(node) == "Stack":
        pieces = [replace(part, axes=(*part.axes[:place], (), *part.axes[place:])) for part in pieces]
    if len(pieces) < len(parts):  # what tells nothing is not in the way of the other axes
        pieces.append(unknown(shape))
    return joined(shape, pieces, place)


def _product(shape: tuple[int, ...], left: Axes | None, right: Axes | None) -> Axes:
    """Rows come from the left matrix, columns from the right one, and what is summed over is gone."""
    whole = unknown(shape)
    if left is not None:
        whole = replace(left.changed(len(shape) - 1, whole.axes[-1]), is_stretch=False)
    if right is None:
        return whole
    columns = unknown(shape).axes[-2]
    return broadcast(shape, [whole, replace(right.changed(len(shape) - 2, columns), is_stretch=False)])


def place_of(dim: int, dimensions: int) -> int:
    """A place among so many, from an axis or index as autograd keeps it: a negative one has 2⁶⁴ added."""
    return (dim - 2**64 if dim >= 2**63 else dim) % dimensions


def _transposed(end: End, axes: Axes) -> Axes:
    order = list(range(len(axes.axes)))
    a, b = (place_of(dim, len(order)) for dim in (saved(end[0], "dim0"), saved(end[0], "dim1")))
    order[a], order[b] = b, a
    return axes.permuted(order)


def _permuted(end: End, axes: Axes) -> Axes:
    return axes.permuted([place_of(dim, len(axes.axes)) for dim in saved(end[0], "dims")])


def _selected(end: End, axes: Axes) -> Axes:
    place = place_of(saved(end[0], "dim"), len(axes.axes))
    return axes.at_index(place, place_of(saved(end[0], "index"), axes.shape[place]))


def _cut(end: End, axes: Axes) -> Axes:
    node, shape = end[0], shape_of(end)
    place = place_of(saved(node, "dim"), len(shape))
    if saved(node, "step") != 1 or not axes.shape[place]:
        return unknown(shape)
    return axes.cut(place, place_of(saved(node, "start"), axes.shape[place]), shape[place])


def _split(end: End, axes: Axes) -> Axes:
    node, shape = end[0], shape_of(end)
    place = place_of(saved(node, "dim"), len(shape))
    return axes.cut(place, end[1] * saved(node, "split_size"), shape[place])


def _split_unevenly(end: End, axes: Axes) -> Axes:
    node, shape = end[0], shape_of(end)
    place = place_of(saved(node, "dim"), len(shape))
    return axes.cut(place, sum(saved(node, "split_sizes")[: end[1]]), shape[place])


def _reduced(end: End, axes: Axes) -> Axes:
    node, shape = end[0], shape_of(end)
    if not shape:
        return unknown(shape)
    gone = {place_of(dim, len(axes.axes)) for dim in saved(node, "dim")}
    without = (Factor("", 1),) if saved(node, "keepdim") else None
    for place in sorted(gone, reverse=True):
        axes = axes.changed(place, without)
    return axes


def _unbound(end: End, axes: Axes) -> Axes:
    return axes.at_index(place_of(saved(end[0], "dim"), len(axes.axes)), end[1])


_MOVES: dict[str, Callable[[End, Axes], Axes]] = {
    "Transpose": _transposed,
    "T": lambda end, axes: axes.permuted((1, 0)),
    "Permute": _permuted,
    "Select": _selected,
    "Slice": _cut,
    "Split": _split,
    "UnsafeSplit": _split,
    "SplitWithSizes": _split_unevenly,
    "Unbind": _unbound,
    "Sum": _reduced,
    "Mean": _reduced,
    "Amax": _reduced,
    "Amin": _reduced,
    "ViewAsReal": lambda end, axes: replace(axes, axes=(*axes.axes, (Factor("", 2),))),
}
FOLLOWED = frozenset({*_MOVES, *_VIEWS, *PRODUCTS, *_BROADCASTING, "Stack", "Cat"})
"""Operations of which it is known where each axis goes."""

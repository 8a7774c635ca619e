"""Which axes of a tensor are timesteps and which are the sequences; the others are units."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lstmtui.capture.arguments import tensors_in
from lstmtui.capture.source.series import Series

Shape = tuple[int, ...]


class Unfit(Exception):
    """A series that cannot be shown over time; the message says why, in a sentence."""


def leading_sizes(arguments: object) -> list[Shape]:
    """The shapes of the tensors that a model is called with, of packed sequences that of the data."""
    tensors = (part if isinstance(part, Tensor) else part.data for part in tensors_in(arguments))
    return [tuple(tensor.shape) for tensor in tensors if tensor.dim()]


def sizes_of_time(shapes: Iterable[Shape], time_axis: int | None) -> set[int]:
    """How many timesteps the input may have: the sizes of its first two axes, or of the one that is time.

    Raises:
        ValueError: no tensor of the input has such an axis.
    """
    if time_axis is None:
        return {size for shape in shapes for size in shape[:2]}
    sizes = {shape[time_axis] for shape in shapes if -len(shape) <= time_axis < len(shape)}
    if not sizes:
        raise ValueError(f"time_axis: no tensor of the input has an axis {time_axis}")
    return sizes


@dataclass(frozen=True)
class Batch:
    """How many sequences a run reads at once."""

    size: int

    def axis_of(self, shape: Shape, but: int | None = None) -> int | None:
        """Which axis of a shape is the sequences, the first that is as long; None where there is none.

        Args:
            shape: of a tensor.
            but: an axis that is something else.
        """
        if self.size == 1:
            first = 0 if but != 0 else 1
            return first if len(shape) > first + 1 and shape[first] == 1 else None
        return next((n for n, size in enumerate(shape) if size == self.size and n != but), None)


def batch_of(series: Sequence[Series], inputs: Iterable[Shape], steps: Collection[int]) -> Batch:
    """The number of sequences of a run: an axis of the input that most of its names have.

    Args:
        series: of the run's rounds.
        inputs: the shapes of the model's input.
        steps: how many timesteps there may be.
    """
    changing = [part for part in series if _changes(part)] or series
    shapes = [tuple(part.first.value.shape) for part in changing if part.first.value.dim()]
    candidates = Counter(
        {
            size: sum(size in shape[:2] for shape in shapes)
            for shape in inputs
            for size in _sequences(shape, steps)
        }
    )
    best, votes = max(candidates.items(), key=lambda item: item[1], default=(1, 0))
    if 2 * votes >= len(shapes):
        return Batch(best)
    # A run may read other batches than the model: all beams of a search, all windows of a signal.
    leading = Counter(shape[0] for shape in shapes if len(shape) > 1)
    best, votes = max(leading.items(), key=lambda item: item[1], default=(1, 0))
    return Batch(best if 2 * votes >= len(shapes) else 1)


def _changes(part: Series) -> bool:
    """Whether a series has other numbers in its last round than in its first; weights have not."""
    first, *_, last = (part.first.value, *(b.value for b in part.bindings))
    return part.whole is not None or first.shape != last.shape or not torch.equal(first, last)


def _sequences(shape: Shape, steps: Collection[int]) -> list[int]:
    """Of an input's first two axes the one that is not time; both where neither is, or both may be."""
    near = {size + more for size in steps for more in (0, 1)}
    first, *others = shape[:2]
    if not others:
        return [] if first in near else [first]
    exact = [size for size in (first, *others) if size in steps]
    times = exact or [size for size in (first, *others) if size in near]
    if not times:
        return [first]
    return [*others, first] if len(times) == 2 else [n for n in (first, *others) if n not in times]


def time_axis_of(shape: Shape, steps: int, time_axis: int | None) -> int | None:
    """Which axis of a tensor is all timesteps; None where none is as long.

    Raises:
        Unfit: it cannot be told.
    """
    axes = [n for n, size in enumerate(shape) if size == steps]
    if len(axes) < 2:
        return axes[0] if axes else None
    if time_axis is not None and time_axis % len(shape) in axes:
        return time_axis % len(shape)
    places = " and ".join(map(str, axes))
    raise Unfit(f"its axes {places} are both {steps} long, as the run is: say time_axis=")

"""What the axes of a tensor mean: which of them is time, and which are the sequences."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal, NamedTuple

Kind = Literal["time", "batch", "sorted", "packed", "units", "rows", ""]
"""time: timesteps; batch: sequences; sorted: sequences from the longest to the shortest, as packing orders
them; packed: the timesteps of all sequences, as `PackedSequence.data` has them; units: an axis of a
parameter; rows: what a weight is applied to one by one, such as sequences; empty: anything else."""


class Factor(NamedTuple):
    """An axis, or one of several that a view has laid into one."""

    kind: Kind
    size: int
    start: int = 0
    """The first timestep, where it is time."""


Axis = tuple[Factor, ...]


@dataclass(frozen=True)
class Axes:
    """What each axis of a tensor means."""

    axes: tuple[Axis, ...]
    at: int | None = None
    """The timestep that all of the tensor is of, where no axis says it."""
    is_stretch: bool = False
    """Whether it is a stretch of packed data, as `pad_packed_sequence` cuts it."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the tensor."""
        return tuple(size_of(axis) for axis in self.axes)

    @property
    def factors(self) -> Axis:
        """All factors in order."""
        return tuple(factor for axis in self.axes for factor in axis)

    def permuted(self, order: Sequence[int]) -> Axes:
        """The axes in another order."""
        return replace(self, axes=tuple(self.axes[n] for n in order))

    def changed(self, place: int, axis: Axis | None) -> Axes:
        """The axes with another meaning of one of them; None: without that one."""
        own = () if axis is None else (axis,)
        return replace(self, axes=(*self.axes[:place], *own, *self.axes[place + 1 :]))

    def at_index(self, place: int, index: int) -> Axes:
        """The tensor at one index of an axis."""
        axis = self.axes[place]
        rest = self.changed(place, None)
        return replace(rest, at=axis[0].start + index) if is_time(axis) else rest

    def cut(self, place: int, start: int, size: int) -> Axes:
        """A stretch of one axis."""
        axis = self.axes[place]
        if size == size_of(axis):
            return self
        if is_time(axis):
            return self.changed(place, (Factor("time", size, axis[0].start + start),))
        rest = self.changed(place, (Factor(_lasting_kind([axis]), size),))
        return replace(rest, is_stretch=self.is_stretch or any(f.kind == "packed" for f in axis[:1]))

    def viewed(self, shape: Sequence[int]) -> Axes:
        """The same numbers in the same order under another shape."""
        if 0 in shape:
            return unknown(shape)
        waiting, axes, at = list(self.factors), [], self.at
        for size in shape:
            axis: list[Factor] = []
            while waiting and (size_of(axis) < size or (size == 1 and not axis and waiting[0].size == 1)):
                factor = waiting.pop(0)
                needed = size // size_of(axis) if size % size_of(axis) == 0 else 0
                if factor.size == 1 and size > 1:
                    at = factor.start if factor.kind == "time" else at
                    continue
                is_cut = factor.kind in ("", "units", "rows") and factor.size > needed > 1
                if is_cut and not factor.size % needed:
                    waiting.insert(0, Factor(factor.kind, factor.size // needed))
                    factor = Factor(factor.kind, needed)
                axis.append(factor)
            if size_of(axis) != size:
                is_stretch = self.is_stretch or any(f.kind == "packed" for f in self.factors)
                return replace(unknown(shape), is_stretch=is_stretch)
            kind = _lasting_kind([axis])
            axes.append((Factor(kind, size),) if kind else tuple(axis))
        at = next((factor.start for factor in waiting if factor.kind == "time"), at)
        return replace(self, axes=tuple(axes), at=at)


def unknown(shape: Iterable[int]) -> Axes:
    """Axes of which nothing is known."""
    return Axes(tuple((Factor("", size),) for size in shape))


def broadcast(shape: Sequence[int], parts: Sequence[Axes]) -> Axes:
    """What is worked out position by position from several tensors, aligned at their last axes."""
    axes = [{axis for axis in column if is_known(axis)} for column in _columns(shape, parts)]
    moments = {part.at for part in parts} - {None}
    columns = (
        next(iter(own)) if len(own) == 1 else (Factor("", size),)
        for own, size in zip(axes, shape, strict=True)
    )
    return Axes(tuple(columns), moments.pop() if len(moments) == 1 else None)


def joined(shape: Sequence[int], parts: Sequence[Axes], place: int) -> Axes:
    """Tensors put one behind the other along an axis; those that follow each other in time make up time."""
    whole = broadcast(shape, parts)
    spans = [span for part in parts if (span := _timesteps(part, place)) is not None]
    axis: Axis = (Factor(_lasting_kind([part.axes[place] for part in parts]), shape[place]),)
    follows = all(a.start + a.size == b.start for a, b in pairwise(spans))
    if len(spans) == len(parts) and follows and sum(span.size for span in spans) == shape[place]:
        axis = (Factor("time", shape[place], spans[0].start),)
        whole = replace(whole, at=None)
    return whole.changed(place, axis)


def is_known(axis: Axis) -> bool:
    """Whether anything is known of an axis."""
    return any(factor.kind for factor in axis)


def is_units(axis: Sequence[Factor]) -> bool:
    """Whether an axis is one of a parameter and nothing else."""
    return bool(axis) and all(factor.kind == "units" for factor in axis)


def is_rows(axis: Sequence[Factor]) -> bool:
    """Whether an axis is what a weight was applied to one by one, and nothing else."""
    return bool(axis) and all(factor.kind == "rows" for factor in axis)


def _lasting_kind(axes: Sequence[Sequence[Factor]]) -> Kind:
    """What a part of an axis is too, and several of them laid behind one another: units or rows."""
    if axes and all(map(is_units, axes)):
        return "units"
    return "rows" if axes and all(map(is_rows, axes)) else ""


def is_time(axis: Axis) -> bool:
    """Whether an axis is timesteps and nothing else."""
    return len(axis) == 1 and axis[0].kind == "time"


def size_of(axis: Iterable[Factor]) -> int:
    """How long an axis is."""
    return math.prod(factor.size for factor in axis)


def _columns(shape: Sequence[int], parts: Sequence[Axes]) -> list[list[Axis]]:
    """For each axis of a shape, what the tensors have there that are as long in it."""
    columns: list[list[Axis]] = [[] for _ in shape]
    for part in parts:
        for n, axis in enumerate(reversed(part.axes), start=1):
            if size_of(axis) == shape[-n]:
                columns[-n].append(axis)
    return columns


def _timesteps(part: Axes, place: int) -> Factor | None:
    """The timesteps that a tensor adds to an axis."""
    axis = part.axes[place]
    if is_time(axis):
        return axis[0]
    return Factor("time", 1, part.at) if size_of(axis) == 1 and part.at is not None else None

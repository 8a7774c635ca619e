"""Which axes of a tensor are timesteps and which are the sequences; the others are units."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence, Set
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from lstmtui.capture.equality import equal
from lstmtui.capture.modules.arguments import tensors_in
from lstmtui.capture.source.input_axes import Shape
from lstmtui.capture.source.layers.series import Series
from lstmtui.wording import listed


class Unfit(Exception):
    """A series that cannot be shown over time; the message says why, in a sentence."""


def leading_sizes(arguments: object) -> list[Shape]:
    """The shapes of the tensors that a model is called with, those of packed sequences as padded ones."""
    return [shape for part in tensors_in(arguments) if (shape := _shape_of(part))]


def _shape_of(part: Tensor | PackedSequence) -> Shape:
    if isinstance(part, Tensor):
        return tuple(part.shape)
    return len(part.batch_sizes), int(part.batch_sizes[0]), *part.data.shape[1:]


@dataclass(frozen=True)
class Batch:
    """How many sequences a run reads."""

    size: int
    others: tuple[int, ...] = ()
    """As many it might have been as well, for all that its names tell."""

    def axis_of(self, shape: Shape, but: Collection[int] = ()) -> int | None:
        """Which axis of a shape is the sequences, the first that is as long; None where there is none.

        Args:
            shape: of a tensor.
            but: axes that are something else.
        """
        if self.size == 1:
            first = 1 if 0 in but else 0
            return first if len(shape) > first + 1 and shape[first] == 1 else None
        axes = [n for n, size in enumerate(shape) if size == self.size]
        return next((n for n in axes if n not in but), None)


class State(NamedTuple):
    """What tells the sequences: what one round leaves to the next."""

    shape: Shape
    units: Collection[int]
    """The axes that come from parameters, as far as that is known."""

    def may_have(self, size: int) -> bool:
        """Whether an axis of it that is not known to be units is as long."""
        return any(own == size and n not in self.units for n, own in enumerate(self.shape))


def batch_of(
    series: Sequence[Series],
    states: Iterable[Series],
    inputs: Iterable[Shape],
    steps: Set[int],
    features: Collection[int],
    said: Collection[int] = (),
) -> Batch:
    """The number of sequences of a run: an axis of the input that its states have, and most of its names.

    Args:
        series: of the run.
        states: those of them that one round leaves to the next.
        inputs: the shapes of the model's input.
        steps: how many timesteps there may be.
        features: the sizes of the axes of the model's parameters.
        said: how many sequences there are, as the user says; empty where nothing is said.
    """
    shapes = _shapes_of([part for part in series if _changes(part)] or series)
    states = [part for part in states if part.first.value.is_floating_point()]
    # What grows is no state, but all that was made so far.
    stay = [part for part in states if len({shape for shape, *_ in part.kinds}) == 1]
    own = [State(shape, part.units) for part in stay or states for shape in _shapes_of([part])]
    # A state that is one number, as a sum over all, tells nothing of the sequences.
    own = [state for state in own if prod(state.shape) > 1] or own
    of_states = {state.shape for state in own}
    inputs = [shape for shape in inputs if shape not in of_states] or list(inputs)
    candidates = {size for shape in inputs for size in _sequences(shape, steps)}
    units = _sizes_of_units(own, shapes, inputs, steps, features)
    lead = _leading_of(own, inputs)
    is_known = bool(own) and all(state.units and 0 not in state.units for state in own)
    if lead is not None and (is_known or lead not in features):
        candidates = {lead}
    if said:
        candidates, units = {*said}, set()
    candidates = {size for size in candidates if all(state.may_have(size) for state in own)}
    if own and not candidates:
        # There may be nearly as many sequences as timesteps.
        either = {size for shape in inputs for size in shape[:2]}
        candidates = {size for size in either if all(state.may_have(size) for state in own)}
    votes = {size: sum(size in shape[:2] for shape in shapes) for size in candidates - units}
    leads = Counter(shape[0] for shape in shapes)
    best, most = max(votes.items(), key=lambda item: (item[1], leads[item[0]]), default=(1, 0))
    # Of two or more axes of all that it leaves to the next round the first is as long: that is enough.
    leads_states = len(votes) == 1 and bool(own) and all(len(s.shape) > 1 and s.shape[0] == best for s in own)
    if most and (leads_states or 2 * most >= len(shapes)):
        is_open = not (said or is_known)
        return Batch(best, tuple(size for size in votes if is_open and size != best and votes[size] == most))
    # A run may read other batches than the model: all beams of a search, all windows of a signal.
    parameters = [part for part in series if part.first.leaf and not part.first.absent]
    weights = {*_shapes_of(parameters)}
    leading = Counter(shape[0] for shape in shapes if len(shape) > 1 and shape not in weights)
    best, most = max(leading.items(), key=lambda item: item[1], default=(1, 0))
    return Batch(best if 2 * most > len(shapes) else 1)


def _sizes_of_units(
    states: Sequence[State],
    shapes: Sequence[Shape],
    inputs: Sequence[Shape],
    steps: Set[int],
    features: Collection[int],
) -> set[int]:
    """The sizes that are those of units, for that states have one axis, or most names of one sequence.

    Such an axis is units where one of a parameter is as long, or where the input has no other axis. It is the
    sequences where the input has that axis between time and units.
    """
    are_vectors = bool(states) and all(len(state.shape) == 1 for state in states)
    # Most names are vectors where one sequence has a matrix for a state.
    are_flat = 2 * sum(len(shape) == 1 for shape in shapes) > len(shapes)
    axes = [(size, len(shape)) for shape in inputs for size in _sequences(shape, steps)]
    units = set[int]()
    if are_vectors or (
        are_flat and all(len(shape) <= 2 for shape in inputs) and not _are_begun_from(states, inputs, steps)
    ):
        units |= {*features} - {size for size, count in axes if count > 2}
    if are_vectors:
        units |= {size for size, _ in axes} - {size for size, count in axes if count > 1}
    return units


def _are_begun_from(states: Sequence[State], inputs: Sequence[Shape], steps: Set[int]) -> bool:
    """Whether the input is nothing but what states begin from: it has their shapes, and no timesteps."""
    of_states = {state.shape for state in states}
    return bool(inputs) and all(shape in of_states and steps.isdisjoint(shape) for shape in inputs)


def _leading_of(states: Sequence[State], inputs: Iterable[Shape]) -> int | None:
    """The size of the first axis of all states where each input of two axes has it first; else None.

    Such an input is no sequence, but a vector for each sequence, though there may be as many timesteps.
    """
    leads = {state.shape[0] if len(state.shape) > 1 else None for state in states}
    firsts = {shape[0] if len(shape) == 2 else None for shape in inputs}
    return leads.pop() if leads == firsts and len(leads) == 1 else None


def _shapes_of(series: Iterable[Series]) -> list[Shape]:
    """The largest shape of each, of those that have axes."""
    shapes = [tuple(max(shape for shape, *_ in part.kinds)) for part in series]
    return [shape for shape in shapes if shape]


def _changes(part: Series) -> bool:
    """Whether a series has other numbers in its last round than in its first; weights have not."""
    first, last = part.first.value, part.last.value
    return part.whole is not None or not equal(first, last)


def _sequences(shape: Shape, steps: Collection[int]) -> list[int]:
    """Of an input's first two axes the one that is not time; both where neither is, or both may be.

    One that is nearly as long as time may be either: then the other one is the first of both.
    """
    near = {size + more for size in steps for more in (-1, 0, 1)}
    first, *others = shape[:2]
    if not others:
        return [] if first in near else [first]
    exact = [size for size in (first, *others) if size in steps]
    times = exact or [size for size in (first, *others) if size in near]
    if not times:
        return [first]
    if len(times) == 2:
        return [*others, first]
    rest = [n for n in (first, *others) if n not in times]
    return rest if exact else [*rest, *times]


def time_axis_of(shape: Shape, steps: int, time_axis: int | None, features: Collection[int]) -> int | None:
    """Which axis of a tensor is all timesteps; None where none is as long.

    The last of several axes is units where it is as long as an axis of the model's parameters.

    Args:
        shape: of the tensor.
        steps: how many timesteps there are.
        time_axis: which axis it is where that cannot be told, as the user says.
        features: the sizes of the axes of the model's parameters.

    Raises:
        Unfit: it cannot be told.
    """
    axes = [n for n, size in enumerate(shape) if size == steps]
    if time_axis is not None and time_axis % len(shape or (1,)) in axes:
        return time_axis % len(shape)
    if len(shape) > 2 and steps in features:
        axes = [n for n in axes if n < len(shape) - 1]
    if len(axes) < 2:
        return axes[0] if axes else None
    places = listed([str(axis) for axis in axes])
    raise Unfit(f"its axes {places} are both {steps} long, as the run is: say time_axis=")

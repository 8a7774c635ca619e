"""The tensors of a series as one array over time, and their derivatives as another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, reduce
from math import prod

import numpy as np
import torch
from torch import Tensor

from lstmtui.arrays import Array
from lstmtui.capture.source.bindings import Binding
from lstmtui.capture.source.complex_numbers import real_parts
from lstmtui.capture.source.input_axes import Shape
from lstmtui.capture.source.layers.series import Series
from lstmtui.capture.source.layers.shapes import Batch, Unfit
from lstmtui.capture.stores.deferred_arrays import Entry, changed
from lstmtui.capture.to_numpy import numpy_of
from lstmtui.errors import UserError
from lstmtui.models.torch_compat import version_of

TimeOf = Callable[[Shape, int], int | None]
_QUANTISED = (torch.quint8, torch.qint8, torch.qint32, torch.quint4x2, torch.quint2x4)


@dataclass
class Stacked:
    """A series as arrays."""

    values: Array
    """(T, B, units); 0 where a round did not bind the name."""
    derivative: Entry | None
    """As the values; 0 where nothing is in `has_derivative`."""
    shape: Shape
    """The axes behind the batch."""
    bound: Array
    """(T,) bool."""
    has_derivative: Array
    """(T,) bool: where autograd computed it, or the loss does not depend on it."""
    counts: Array
    """(T,): how often each round bound it."""
    inner: Array | None = None
    """(T, inner steps, B, units), where rounds bind it several times."""
    inner_derivative: Entry | None = None
    rows: Array | None = None
    """(T,): how many sequences each round has, where that changes."""


def gradient_of(binding: Binding) -> Tensor | None:
    """The total derivative: the sum over backward passes; None where none came."""
    gradients = binding.gradients
    if not gradients:
        return None
    # That by a complex number has the derivative by its real part, and by its imaginary part, as its own.
    return real_parts(gradients[0] if len(gradients) == 1 else reduce(torch.add, gradients))


def check_kind(series: Series) -> None:
    """Refuse numbers that no panel can show.

    Raises:
        Unfit: they are quantised, or there are none.
    """
    for shape, dtype, _ in series.kinds:
        if dtype in _QUANTISED:
            raise Unfit("its numbers are quantised")
        if 0 in shape:
            raise Unfit(f"it holds no numbers: its shape is {tuple(shape)}")


def stack(series: Series, batch: Batch, *, derived: bool) -> Stacked:
    """The values of a series that a round binds anew, and its derivatives.

    Args:
        series: with rounds.
        batch: of the run.
        derived: whether the loss was differentiated.

    Raises:
        Unfit: shapes change from round to round.
    """
    check_kind(series)
    is_alike = len(series.kinds) == 1
    last = [own[-1] if own else None for own in series.rounds]
    axis, shape, rows = _layout(series, batch)
    counts = np.array([*map(len, series.rounds)])
    bound = counts > 0

    like = next(binding.value for binding in last if binding is not None)

    def array(tensors: Sequence[Tensor | None]) -> Array:
        return _array(tensors, like, axis, shape, batch.size, is_alike=is_alike)

    block = series.block
    values = array(_values(last)) if block is None else _arranged(block, axis, shape, batch.size)
    known = np.array([b is not None and derived and has_derivative(b) for b in last])
    derivative = _when_read(array, _gradients(last)) if known.any() else None
    stacked = Stacked(values, derivative, shape, bound, known, counts)
    most = int(counts.max())
    if most > 1:
        by_step = [[own[n] if n < len(own) else None for own in series.rounds] for n in range(most)]
        stacked.inner = _side_by_side(*(array(_values(step)) for step in by_step))
        if derivative is not None:
            steps = [_when_read(array, _gradients(step)) for step in by_step]
            stacked.inner_derivative = changed(_side_by_side, *steps)
    if len(set(rows)) > 1:
        stacked.rows = np.array(rows)
    return stacked


def unrolled(series: Series, batch: Batch, steps: int, time_of: TimeOf, *, derived: bool) -> Stacked:
    """The values of a tensor that is of all timesteps, or of one of each of several calls.

    Args:
        series: of one tensor.
        batch: of the run.
        steps: how many timesteps the run has.
        time_of: says which axis of a shape so many timesteps are; None: none is.
        derived: whether the loss was differentiated.

    Raises:
        Unfit: it is not.
    """
    check_kind(series)
    assert series.whole is not None
    if series.pieces:
        alone = [(replace(series, whole=binding, pieces=()), n) for binding, n in series.pieces]
        parts = [unrolled(part, batch, n, time_of, derived=derived) for part, n in alone]
        if len({part.shape for part in parts}) > 1:
            raise Unfit("it has no axis of timesteps")
        return _behind_one_another(parts)
    value = series.whole.value
    sizes = tuple(value.shape)
    time = time_of(sizes, steps)
    time = None if time in series.units else time
    sequences = None if time is None else batch.axis_of(sizes, {time, *series.units})
    is_parameter = series.whole.leaf and not series.whole.absent
    if time is None or (sequences is None and (batch.size > 1 or is_parameter)):
        raise Unfit("it has no axis of timesteps")
    order = [time, *(() if sequences is None else (sequences,))]
    order += [n for n in range(len(sizes)) if n not in order]
    shape = tuple(sizes[n] for n in order[1 if sequences is None else 2 :])

    def array(tensor: Tensor) -> Array:
        return numpy_of(tensor.permute(order).reshape(steps, batch.size, prod(shape)))

    known = derived and has_derivative(series.whole)
    gradient = gradient_of(series.whole)
    derivative = None
    if known:
        derivative = array(torch.zeros_like(value) if gradient is None else gradient)
    everywhere = np.ones(steps, dtype=bool)
    return Stacked(
        array(value), derivative, shape, everywhere, everywhere & known, everywhere.astype(np.int64)
    )


def _behind_one_another(parts: Sequence[Stacked]) -> Stacked:
    """Tensors of timesteps that follow each other, as one."""
    derivatives = [np.zeros_like(p.values) if p.derivative is None else p.derivative for p in parts]
    return Stacked(
        np.concatenate([part.values for part in parts]),
        changed(lambda *own: np.concatenate(own), *derivatives)
        if any(part.derivative is not None for part in parts)
        else None,
        parts[0].shape,
        np.concatenate([part.bound for part in parts]),
        np.concatenate([part.has_derivative for part in parts]),
        np.concatenate([part.counts for part in parts]),
    )


def has_derivative(binding: Binding) -> bool:
    """Whether a derivative is known: autograd gave it, or it is 0, as the loss does not depend on it."""
    return bool(binding.gradients) or not binding.absent


def _layout(series: Series, batch: Batch) -> tuple[int | None, Shape, list[int]]:
    """The axis of the sequences, the sizes of the other axes, and how many sequences each round has."""
    ends = [own[-1] for own in series.rounds if own]
    if len({shape for shape, *_ in series.kinds}) == 1:
        only = tuple(series.first.value.shape)
        axis = batch.axis_of(only, series.units)
        return axis, _without(only, axis), [batch.size] * len(ends)
    shapes = [tuple(binding.value.shape) for binding in series.bindings]
    axis = batch.axis_of(max(shapes), series.units)
    rows = [batch.size if axis is None else _size(b.value, axis) for b in ends]
    others = {_without(shape, axis) for shape in shapes}
    if len(others) > 1 or sorted(rows, reverse=True) != rows:
        change = next(shape for shape in shapes if shape != shapes[0])
        raise Unfit(f"its shape changes from {shapes[0]} to {change}")
    return axis, others.pop(), rows


def _size(tensor: Tensor, axis: int) -> int:
    return tensor.shape[axis] if axis < tensor.dim() else 0


def _without(shape: Shape, axis: int | None) -> Shape:
    return shape if axis is None else (*shape[:axis], *shape[axis + 1 :])


def _values(bindings: Sequence[Binding | None]) -> list[Tensor | None]:
    return [None if binding is None else binding.value for binding in bindings]


def _gradients(bindings: Sequence[Binding | None]) -> list[Tensor | None]:
    return [None if binding is None else gradient_of(binding) for binding in bindings]


def _side_by_side(*steps: Array) -> Array:
    """(T, inner steps, B, units) of an array for each inner step."""
    return np.stack(steps, axis=1)


def _when_read(array: Callable[[Sequence[Tensor | None]], Array], gradients: list[Tensor | None]) -> Entry:
    """The array of gradients, made when it is first read; at once on a GPU, whose memory is short."""
    if not all(gradient is None or gradient.is_cpu for gradient in gradients):
        return array(gradients)
    versions = _versions(gradients)

    @cache
    def make() -> Array:
        if _versions(gradients) != versions:  # a hook of the user's has kept one
            raise UserError("derivatives were written into after they had been recorded: record again")
        return array(gradients)

    return make


def _versions(tensors: Sequence[Tensor | None]) -> list[int]:
    return [0 if tensor is None else version_of(tensor) for tensor in tensors]


def _array(
    tensors: Sequence[Tensor | None],
    like: Tensor,
    axis: int | None,
    shape: Shape,
    batch: int,
    *,
    is_alike: bool,
) -> Array:
    """(T, B, units) of one tensor for each round; 0 where there is none.

    Args:
        tensors: of the rounds.
        like: has the dtype and the device, where there is none at all.
        axis: of the tensors that is the sequences; None: they have none.
        shape: of the other axes.
        batch: the number of sequences.
        is_alike: whether all tensors have one shape, dtype and device.
    """
    there = [tensor for tensor in tensors if tensor is not None] or [like]
    # What goes on in another dtype, as from zeros in float32, keeps all of its digits.
    dtype = there[0].dtype if is_alike else reduce(torch.promote_types, {tensor.dtype for tensor in there})
    sizes = shape if axis is None else (*shape[:axis], batch, *shape[axis:])
    zero = torch.zeros(sizes, dtype=dtype, device=there[0].device)
    if is_alike:
        stacked = torch.stack([zero if tensor is None else tensor for tensor in tensors])
    else:
        stacked = torch.stack([zero if tensor is None else _padded(tensor, zero) for tensor in tensors])
    return _arranged(stacked, axis, shape, batch)


def _arranged(stacked: Tensor, axis: int | None, shape: Shape, batch: int) -> Array:
    """(T, B, units) of a tensor of all rounds, (T, …)."""
    if axis is not None:
        stacked = stacked.movedim(axis + 1, 1)
    elif batch > 1:
        stacked = stacked.unsqueeze(1).expand(-1, batch, *shape)
    return numpy_of(stacked.reshape(len(stacked), batch, prod(shape)))


def _padded(tensor: Tensor, zero: Tensor) -> Tensor:
    """With rows of 0 for the sequences that have ended; in one dtype and on one device over all rounds."""
    if tensor.shape == zero.shape:
        return tensor.to(zero)
    whole = zero.clone()
    whole[tuple(slice(size) for size in tensor.shape)] = tensor
    return whole

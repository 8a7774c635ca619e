"""The arrays of a run on the agent's machine: shapes are here, numbers come when they are indexed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import numpy as np

from lstmtui.arrays import Array
from lstmtui.errors import UserError
from lstmtui.remote.wire.bounds import ProtocolError
from lstmtui.remote.wire.messages import Elements
from lstmtui.remote.wire.references import ArrayShape, RunDescription, RunReference, is_lengths
from lstmtui.trace import Trace
from lstmtui.trace.validation import shape_problems

LARGEST_FETCH = 1 << 28
"""Bytes of one array that are fetched at most; an export has no such bound."""
PART = 1 << 20
"""Bytes of one request."""
_LARGEST_AXIS = 1 << 48
LONGEST_WORD = 1 << 12
"""Characters of a name, a title and the like, which the top line is made of again and again."""
_DTYPE = re.compile(r"[<>|=][biuf][1248]")

Fetch = Callable[[Elements], Array]


class RemoteArrays(Mapping[str, Array]):
    """Arrays by key, as in `Trace.arrays`.

    Args:
        run: whose they are.
        shapes: what there is.
        lengths: of the sequences, (B,), by key.
        fetch: brings part of an array.
    """

    def __init__(
        self, run: RunReference, shapes: tuple[ArrayShape, ...], lengths: dict[str, Array], fetch: Fetch
    ) -> None:
        self.run, self._lengths, self._fetch = run, lengths, fetch
        self._known = {shape.key: (position, shape) for position, shape in enumerate(shapes)}
        if len(self._known) != len(shapes):
            raise ProtocolError("two arrays of a run have one name")

    def __getitem__(self, key: str) -> Array:
        position, shape = self._known[key]
        return self._lengths[key] if is_lengths(key) else cast(Array, RemoteArray(self, position, shape))

    def __contains__(self, key: object) -> bool:
        return key in self._known

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def fetch(self, position: int, index: tuple[Any, ...]) -> Array:
        """Part of an array."""
        return self._fetch(Elements(self.run, position, index))


class RemoteArray:
    """An array that can be indexed by integers and slices, which waits for the numbers."""

    def __init__(self, arrays: RemoteArrays, position: int, shape: ArrayShape) -> None:
        self._arrays, self._position = arrays, position
        self.shape, self.dtype = shape.shape, np.dtype(shape.dtype).newbyteorder("=")

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of numbers."""
        return int(np.prod(self.shape, dtype=object))

    @property
    def nbytes(self) -> int:
        """Bytes of all of it."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.asarray(self[...], dtype)

    def __getitem__(self, index: Any) -> Array:
        # No memory is taken for what every element of this is.
        zeros = np.broadcast_to(np.zeros((), self.dtype), self.shape)[index]
        if zeros.size == 0:
            return np.empty(zeros.shape, self.dtype)
        if zeros.nbytes > LARGEST_FETCH:
            raise UserError(f"{zeros.nbytes:,} bytes are too many to fetch; export them")
        axes = [_axis(part, size) for part, size in zip(self._full(index), self.shape, strict=False)]
        elements = self._fetched(axes)
        flips = tuple(slice(None, None, -1 if flip else None) for _, flip, kept in axes if kept)
        return elements[flips].reshape(zeros.shape)

    def _full(self, index: Any) -> list[Any]:
        """An integer or a slice for each axis."""
        parts = list(index) if isinstance(index, tuple) else [index]
        if Ellipsis in parts:
            at = parts.index(Ellipsis)
            parts[at : at + 1] = [slice(None)] * (self.ndim - len(parts) + 1)
        if not all(isinstance(part, (int, np.integer, slice)) for part in parts):
            raise TypeError("an array on the remote side is indexed by integers and slices")
        return parts + [slice(None)] * (self.ndim - len(parts))

    def _fetched(self, axes: list[tuple[range, bool, bool]]) -> Array:
        """The elements, a block of the first axis that is sliced at a time."""
        sliced = next((i for i, (_, _, kept) in enumerate(axes) if kept), None)
        if sliced is None:
            return self._part([(ts, kept) for ts, _, kept in axes])
        count = int(np.prod([len(ts) for ts, _, _ in axes], dtype=object))
        steps = axes[sliced][0]
        row = count // len(steps) * self.dtype.itemsize
        block = max(1, PART // max(1, row))
        parts = []
        for start in range(0, len(steps), block):
            block_axes = [(ts, kept) for ts, _, kept in axes]
            block_axes[sliced] = (steps[start : start + block], True)
            parts.append(self._part(block_axes))
        return np.concatenate(parts) if len(parts) > 1 else parts[0]

    def _part(self, axes: list[tuple[range, bool]]) -> Array:
        index = tuple((ts.start, ts.stop, ts.step) if kept else ts.start for ts, kept in axes)
        part = self._arrays.fetch(self._position, index)
        expected = tuple(len(ts) for ts, kept in axes if kept)
        if not isinstance(part, np.ndarray) or (part.shape, part.dtype) != (expected, self.dtype):
            raise ProtocolError("the agent sent another part of an array than the client wants")
        return part


def _axis(index: int | slice, size: int) -> tuple[range, bool, bool]:
    """Ascending positions along an axis, whether they are wanted in reverse, and whether the axis stays."""
    if not isinstance(index, slice):
        at = int(index) + (size if index < 0 else 0)
        return range(at, at + 1), False, False
    positions = range(*index.indices(size))
    return (positions[::-1], True, True) if positions.step < 0 else (positions, False, True)


def reference_of(trace: Trace) -> RunReference:
    """The reference of a run on the agent's machine.

    Raises:
        UserError: it is not there.
    """
    if not isinstance(trace.arrays, RemoteArrays):
        raise UserError(
            f"{trace.name}: this run is not on the remote side, so it cannot be shown beside the other"
        )
    return trace.arrays.run


def remote_trace(model: RunDescription, run: RunReference, fetch: Fetch, base: Trace | None = None) -> Trace:
    """A trace whose arrays are on the agent's machine.

    Args:
        model: what the agent says of it.
        run: its reference.
        fetch: brings part of an array.
        base: the run that it is made from by what-ifs, and whose sizes it has; None: it is none of these.

    Raises:
        ProtocolError: what the agent says of it does not fit together.
    """
    header = model.header
    try:
        sizes = [n for layer in header.layers for n in (layer.input_size, layer.hidden_size, layer.proj_size)]
        fits = all(layer.layout.directions for layer in header.layers)
    except (ValueError, KeyError, UserError):
        fits = False
    sizes = [header.steps, header.batch, *sizes] if fits else [-1]
    dimensions = [n for array in model.arrays for n in array.shape]
    fits = fits and all(0 <= n < _LARGEST_AXIS for n in (*sizes, *dimensions))
    words = [header.name, header.title, header.device, header.numbers, header.absent, header.loss_text]
    words += [layer.absent for layer in header.layers]
    fits = fits and all(len(word) <= LONGEST_WORD for word in words)
    fits = fits and all(len(a.shape) <= 8 and _DTYPE.fullmatch(a.dtype) for a in model.arrays)
    needed = {"lengths", *(array.key for array in model.arrays if is_lengths(array.key))}
    fits = fits and needed <= model.lengths.keys()
    fits = fits and all(a.shape == (header.batch,) and a.dtype.kind in "iu" for a in model.lengths.values())
    shapes = {array.key: {"shape": list(array.shape), "dtype": array.dtype} for array in model.arrays}
    if not fits or shape_problems(header, shapes):
        raise ProtocolError("what the agent says of its trace does not fit together")
    trace = Trace(header, RemoteArrays(run, model.arrays, model.lengths, fetch))
    if base is not None and not _is_variant(trace, base):
        raise ProtocolError("what the agent made is no run of the same model on the same input")
    return trace


def _is_variant(trace: Trace, base: Trace) -> bool:
    """Whether a run has the layers, the sizes and the lengths of another."""
    same = [(trace.arrays[key], array) for key, array in base.arrays.items() if key in trace.arrays]
    lengths = [key for key in (*trace.arrays, *base.arrays) if is_lengths(key)]
    return (
        (trace.layers, trace.steps, trace.batch) == (base.layers, base.steps, base.batch)
        and all(array.shape == other.shape for array, other in same)
        and all(key in trace.arrays and key in base.arrays for key in lengths)
        and all(np.array_equal(trace.arrays[key], base.arrays[key]) for key in lengths)
        and np.array_equal(trace.lengths, base.lengths)
    )

"""The order of axes in which an input goes into an ONNX graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from lstmtui.arrays import Array

_BY_RANK = {
    1: ("t",),
    2: ("bt", "tb", "ti"),
    3: ("tbi", "bti", "bit", "b1t"),
    4: ("b1ti", "b1it"),
}
"""Orders of time, batch and channels, by how many axes a graph's input has; 1: an axis of one."""
_NAMES = {
    "b": ("b", "n", "bs", "batch", "batch_size", "batchsize"),
    "t": ("t", "l", "time", "seq", "sequence", "length", "steps", "frames", "samples", "seq_len",
          "sequence_length", "seq_length", "num_frames", "time_steps"),
}  # fmt: skip
"""What exporters call an open size."""


def order_of_axes(
    shape: Sequence[int | str] | None, sizes: tuple[int, int, int], is_ids: bool, batch_first: bool | None
) -> str:
    """How an input (T, B, I) is to be laid out: "tbi", "bt" …; empty where it fits in no way.

    Args:
        shape: of the graph's input: sizes, or names of those that are open; None where it is not declared.
        sizes: T of one call, B and I.
        is_ids: whether the input is ids, (T, B), which have no axis of channels.
        batch_first: whether the sequences come before the timesteps; None where that is not known.
    """
    if shape is None:
        order = "bti" if batch_first else "tbi"
        return order.replace("i", "") if is_ids else order
    fitting = [o for o in _BY_RANK.get(len(shape), ()) if _fits(o, shape, sizes, is_ids)]
    if batch_first is not None and any("t" in o and "b" in o for o in fitting):
        fitting = [o for o in fitting if "b" not in o or (o.index("b") < o.index("t")) == batch_first]
    # The names of open sizes are what exporters make of them: they choose among several, and rule none out.
    return max(fitting, key=lambda order: _named(order, shape), default="")


def fitting_steps(
    shape: Sequence[int | str] | None, batch: int, size: int, is_ids: bool, batch_first: bool | None
) -> int:
    """How many timesteps of each call would fit, where the graph's input has a number for them; or 0.

    Args:
        shape: of the graph's input.
        batch: B.
        size: I.
        is_ids: whether the input is ids.
        batch_first: as for `order_of_axes`.
    """
    for steps in sorted({n for n in shape or () if isinstance(n, int) and n > 0}):
        order = order_of_axes(shape, (steps, batch, size), is_ids, batch_first)
        if "t" in order and shape is not None and shape[order.index("t")] == steps:
            return steps
    return 0


def laid_out(array: Array, order: str) -> Array:
    """An input (T, B, I) or (T, B) in an order of axes."""
    letters = "tbi"[: array.ndim]
    kept = [letters.index(letter) for letter in order if letter in letters]
    left_out = tuple(axis for axis in range(array.ndim) if axis not in kept)
    moved = array.transpose(*kept, *left_out)
    moved = moved.reshape(moved.shape[: len(kept)])  # What is left out has the size 1.
    for axis, letter in enumerate(order):
        if letter == "1":
            moved = np.expand_dims(moved, axis)
    return np.ascontiguousarray(moved)


def _fits(order: str, shape: Sequence[int | str], sizes: tuple[int, int, int], is_ids: bool) -> bool:
    own = dict(zip("tbi", sizes, strict=True)) | {"1": 1}
    if is_ids and "i" in order:
        return False
    if any(own[letter] != 1 for letter in "tbi"[: 2 if is_ids else 3] if letter not in order):
        return False
    return all(isinstance(size, str) or own[o] == size for o, size in zip(order, shape, strict=True))


def _named(order: str, shape: Sequence[int | str]) -> int:
    return sum(
        1
        for letter, size in zip(order, shape, strict=True)
        if isinstance(size, str) and size.lower() in _NAMES.get(letter, ())
    )

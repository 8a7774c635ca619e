"""Nested lists of numbers, as TOML has them, made into arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstmtui.scenario.lines import Location
from lstmtui.scenario.problem import shown
from lstmtui.scenario.report import DataError

if TYPE_CHECKING:
    from lstmtui.arrays import Array

DEEPEST = 3
"""The most levels of lists: sequences of timesteps of channels."""


def to_array(value: Any, *, whole: bool = False) -> Array:
    """A number or a nested list of numbers as an array.

    Args:
        value: what the file says.
        whole: only whole numbers, 0 or more: int64 instead of float64.

    Raises:
        DataError: a place that does not fit the others, or is not a number.
    """
    import numpy as np

    shape = _shape(value)
    if len(shape) > DEEPEST:
        raise DataError(f"has {len(shape)} levels of lists", f"at most {DEEPEST}")
    flat: list[Any] = []
    _flatten(value, shape, (), flat, whole)
    return np.array(flat, dtype=np.int64 if whole else np.float64).reshape(shape)


def depth_of(value: Any) -> int:
    """How many levels of lists there are, going by the first entry of each."""
    return len(_shape(value))


def padded(sequences: list[Array]) -> tuple[Array, Array | None]:
    """Sequences (T_b, …) side by side: (T, B, …) padded with zeros, and (B,) lengths where they differ."""
    import numpy as np

    lengths = np.array([len(sequence) for sequence in sequences], dtype=np.int64)
    first = sequences[0]
    together = np.zeros((int(lengths.max()), len(sequences), *first.shape[1:]), dtype=first.dtype)
    for position, sequence in enumerate(sequences):
        together[: len(sequence), position] = sequence
    return together, (lengths if (lengths != lengths[0]).any() else None)


def to_sequences(value: list[Any], *, whole: bool = False) -> tuple[Array, Array | None]:
    """A list of sequences, possibly of different lengths: (T, B, …) and (B,) lengths where they differ.

    Raises:
        DataError: an entry is not a sequence of numbers like the first.
    """
    sequences: list[Array] = []
    for position, entry in enumerate(value):
        try:
            sequence = to_array(entry, whole=whole)
        except DataError as error:
            raise DataError(error.wrong, error.allowed, within=(position, *error.within)) from None
        expected = sequences[0].shape[1:] if sequences else sequence.shape[1:]
        if sequence.ndim == 0 or sequence.shape[1:] != expected or not len(sequence):
            raise DataError("is not a sequence like the first", within=(position,))
        sequences.append(sequence)
    return padded(sequences)


def _shape(value: Any) -> tuple[int, ...]:
    shape: list[int] = []
    while isinstance(value, list):
        shape.append(len(value))
        if not value:
            break
        value = value[0]
    return tuple(shape)


def _flatten(value: Any, shape: tuple[int, ...], place: Location, flat: list[Any], whole: bool) -> None:
    if not shape:
        flat.append(_number(value, place, whole))
        return
    if not isinstance(value, list):
        raise DataError(f"must be a list, is {shown(value)}", within=place)
    if len(value) != shape[0]:
        raise DataError(f"has {len(value)} entries, the first has {shape[0]}", within=place)
    if not value:
        raise DataError("is an empty list", within=place)
    for position, entry in enumerate(value):
        _flatten(entry, shape[1:], (*place, position), flat, whole)


def _number(value: Any, place: Location, whole: bool) -> Any:
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        kind = "a whole number" if whole else "a number"
        raise DataError(f"must be {kind}, is {shown(value)}", within=place)
    if whole and not 0 <= value < 1 << 62:
        raise DataError(f"must be 0 or more, is {shown(value)}", within=place)
    try:
        return value if whole else float(value)
    except OverflowError:
        raise DataError("is too large a number", within=place) from None

"""Arrays brought into the shapes of an input: (T, B, I) numbers or (T, B) ids, within our limits."""

from __future__ import annotations

import numpy as np

from lstmtui.arrays import Array
from lstmtui.scenario.limits import MAX_BATCH, MAX_ELEMENTS, MAX_VOCABULARY
from lstmtui.scenario.normalization import normalize
from lstmtui.scenario.report import DataError
from lstmtui.scenario.scenario import Input


def number_input(array: Array, lengths: Array | None, method: str, names: tuple[str, ...] | None) -> Input:
    """Numbers of shape (T,), (T, I) or (T, B, I) as an input."""
    if not 1 <= array.ndim <= 3 or not array.size:
        raise DataError(f"has shape {array.shape}", "allowed: (T,), (T, I) or (T, B, I), not empty")
    if array.ndim < 3:
        array = array.reshape(len(array), 1, -1)
    _check_sizes(array.shape)
    values = np.ascontiguousarray(array, dtype=np.float64)
    valid = None if lengths is None else np.arange(len(values))[:, None] < lengths
    values, shift, scale = normalize(values, method, valid)
    labels = names or tuple(f"x[{channel}]" for channel in range(values.shape[2]))
    return Input(values, None, labels, lengths, shift, scale)


def id_input(ids: Array, lengths: Array | None, size: int | None) -> Input:
    """Ids of shape (T,), (T, 1) or (T, B) as an input, with ids as labels."""
    if not 1 <= ids.ndim <= 2 or not ids.size:
        raise DataError(f"has shape {ids.shape}", "allowed for tokens: (T,) or (T, B), not empty")
    if ids.ndim == 1:
        ids = ids[:, None]
    highest = int(ids.max())
    if highest >= (size or MAX_VOCABULARY):
        raise DataError(
            f"token {highest} is outside the vocabulary", f"0 to {(size or MAX_VOCABULARY) - 1:,}"
        )
    return token_input(ids, lengths, tuple(str(token) for token in range(size or highest + 1)))


def token_input(ids: Array, lengths: Array | None, labels: tuple[str, ...]) -> Input:
    _check_sizes(ids.shape)
    size = len(labels)
    return Input(None, np.ascontiguousarray(ids), labels, lengths, np.zeros(size), np.ones(size))


def _check_sizes(shape: tuple[int, ...]) -> None:
    if shape[1] > MAX_BATCH:
        raise DataError(f"has {shape[1]:,} sequences", f"at most {MAX_BATCH:,}")
    if np.prod(shape, dtype=object) > MAX_ELEMENTS:
        raise DataError(f"has shape {shape}", f"at most {MAX_ELEMENTS:,} numbers")


def whole_numbers(array: Array) -> Array:
    """The array as token ids, where it holds nothing else."""
    if array.dtype.kind == "f" and not (np.isfinite(array).all() and (array == np.floor(array)).all()):
        raise DataError("tokens must be whole numbers, and the file holds others")
    if array.size and (array.min() < 0 or array.max() >= MAX_VOCABULARY):
        wrong = f"tokens lie between {array.min()} and {array.max()}"
        raise DataError(wrong, f"allowed: 0 to {MAX_VOCABULARY - 1:,}")
    return array.astype(np.int64)

"""Values for the inputs of an ONNX graph that are the same in every call."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmtui.scenario.limits import MAX_ELEMENTS
from lstmtui.scenario.numbers.data import read_data
from lstmtui.scenario.numbers.nested_lists import to_array
from lstmtui.scenario.problem import shown
from lstmtui.scenario.report import DataError

if TYPE_CHECKING:
    from lstmtui.arrays import Array
    from lstmtui.models.onnx.graph import GraphValue


def given_array(raw: Any, value: GraphValue, batch: int, folder: Path) -> Array:
    """What a scenario gives for an input: numbers of its shape, in lists or a file, or one for all of it.

    Args:
        raw: as it stands in the file.
        value: the input as it is declared.
        batch: B, which its open sizes are.
        folder: what the name of a file is relative to.

    Raises:
        DataError: it cannot be read, or is of another kind or shape.
    """
    dtype = _dtype_of(value)
    if isinstance(raw, str):
        array: Array = read_data(folder, raw)[0]
    elif isinstance(raw, bool) or dtype.kind == "b":
        if not isinstance(raw, bool) or dtype.kind not in "biu":
            allowed = "true or false" if dtype.kind == "b" else f"numbers ({value.kind})"
            raise DataError(f"is {shown(raw)}", f"allowed: {allowed}")
        array = np.array(raw)
    elif isinstance(raw, (int, float)):
        array = np.array(raw)
    else:
        array = to_array(raw, whole=dtype.kind in "iu") if isinstance(raw, list) else _refuse(raw)
    if dtype.kind in "iu":
        if array.dtype.kind == "f" and not (np.isfinite(array) & (array == np.floor(array))).all():
            raise DataError(f"is {shown(raw)}", f"allowed: whole numbers ({value.kind})")
        bounds = np.iinfo(dtype)
        if array.size and (array.min() < bounds.min or array.max() > bounds.max):
            raise DataError("is out of range", f"allowed: {bounds.min} to {bounds.max} ({value.kind})")
    shape = value.shape
    if shape is not None and array.shape == ():
        array = np.broadcast_to(array, _filled(shape, batch))
    elif shape is not None and (
        array.ndim != len(shape)
        or any(isinstance(size, int) and size != own for size, own in zip(shape, array.shape, strict=True))
    ):
        raise DataError(f"has shape {array.shape}", f"the graph takes {value}")
    return array.astype(dtype)


def zeros_for(value: GraphValue, batch: int) -> Array:
    """Zeros for an input, whose open sizes are B.

    Raises:
        DataError: its shape is not declared.
    """
    if value.shape is None:
        raise DataError("is not given, and the graph does not say its shape", "give its numbers")
    return np.zeros(_filled(value.shape, batch), _dtype_of(value))


def _filled(shape: tuple[int | str, ...], batch: int) -> tuple[int, ...]:
    sizes = tuple(batch if isinstance(size, str) else size for size in shape)
    if np.prod(sizes, dtype=object) > MAX_ELEMENTS:
        raise DataError(f"has the shape {sizes}", f"at most {MAX_ELEMENTS:,} numbers")
    return sizes


def _dtype_of(value: GraphValue) -> np.dtype[Any]:
    try:
        dtype = np.dtype(value.kind)
    except TypeError:
        dtype = np.dtype(object)
    if dtype.kind not in "fiub":
        raise DataError(f"is of the kind {value.kind}", "numbers and truth values can be given")
    return dtype


def _refuse(raw: Any) -> Array:
    raise DataError(f"is {shown(raw)}", "allowed: a number, true or false, nested lists, or a file")

"""The tensors of an ONNX model as arrays, their external data read from the model's own folder only."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmtui.errors import UserError
from lstmtui.printable import printable

if TYPE_CHECKING:
    from lstmtui.arrays import Array

MOST_NUMBERS = 1 << 28


def tensor_array(tensor: Any, folder: Path) -> Array:
    """An `onnx.TensorProto` as an array; half precision becomes float32.

    Args:
        tensor: the tensor.
        folder: the model's; external data outside it is refused.

    Raises:
        UserError: its numbers are not there, are of a kind we do not read, or do not fit its shape.
    """
    from onnx import TensorProto, helper, numpy_helper

    name = printable(tensor.name or "a constant")
    kinds = {TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.FLOAT, TensorProto.DOUBLE}
    whole = {TensorProto.INT64, TensorProto.INT32, TensorProto.BOOL}
    if tensor.data_type not in kinds | whole:
        raise UserError(f"{name} is of a data type that is not read")
    shape = tuple(tensor.dims)
    if any(size < 0 for size in shape) or math.prod(shape) > MOST_NUMBERS:
        raise UserError(f"{name} claims the shape {shape}; at most {MOST_NUMBERS:,} numbers are read")
    if tensor.data_location == TensorProto.EXTERNAL:
        if tensor.data_type == TensorProto.BFLOAT16:
            raise UserError(f"{name} is external data in bfloat16, which is not read")
        kind = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.data_type))
        array = _external(tensor, name, folder, kind, math.prod(shape)).reshape(shape)
    else:
        try:
            array = numpy_helper.to_array(tensor)
        except (ValueError, TypeError) as error:
            raise UserError(f"{name} does not have the numbers its shape {shape} asks for") from error
    half = tensor.data_type in (TensorProto.FLOAT16, TensorProto.BFLOAT16)
    return array.astype(np.float32) if half else array


def _external(tensor: Any, name: str, folder: Path, kind: np.dtype[Any], count: int) -> Array:
    """The numbers of a tensor that are kept in a file beside the model."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = printable(entries.get("location", ""))
    try:
        path = (folder / entries.get("location", "")).resolve()
        offset = int(entries.get("offset", "0"))
        if not path.is_relative_to(folder.resolve()):
            raise UserError(f"{name} is kept in {location}, outside the model's folder, which is not read")
        if not path.is_file():
            raise UserError(f"{name} is kept in {location}, which is not there")
        if offset < 0 or offset + count * kind.itemsize > path.stat().st_size:
            raise UserError(f"{name} is kept in {location}, which is too short for it")
        return np.fromfile(path, dtype=kind, count=count, offset=offset)
    except (OSError, ValueError):
        raise UserError(f"{name} is kept in {location}, which cannot be read") from None

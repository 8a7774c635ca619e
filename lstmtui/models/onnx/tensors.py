"""The tensors of an ONNX model as arrays, their external data read from the model's own folder only."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmtui.errors import UserError
from lstmtui.printable import printable

if TYPE_CHECKING:
    from lstmtui.arrays import Array

MOST_NUMBERS = 1 << 28
_BITS = {"UINT4": 4, "INT4": 4, "FLOAT4E2M1": 4, "UINT2": 2, "INT2": 2}
"""Of the kinds that are packed, several to a byte."""


def tensor_array(tensor: Any, folder: Path) -> Array:
    """An `onnx.TensorProto` as an array; half precision becomes float32.

    Args:
        tensor: the tensor.
        folder: the model's; external data outside it is refused.

    Raises:
        UserError: its numbers are not there, are of a kind we do not read, or do not fit its shape.
    """
    from onnx import TensorProto

    halves = {TensorProto.FLOAT16, TensorProto.BFLOAT16}
    others = {TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT64, TensorProto.INT32, TensorProto.BOOL}
    if tensor.data_type not in halves | others:
        raise UserError(f"{_name(tensor)} is of a data type that is not read")
    array = whole_array(whole_tensor(tensor, folder))
    return array.astype(np.float32) if tensor.data_type in halves else array


def whole_array(tensor: Any) -> Array:
    """The numbers of an `onnx.TensorProto` that has them in it, as they are.

    Raises:
        UserError: it has not the numbers that its shape asks for.
    """
    from onnx import numpy_helper

    _count(tensor)
    try:
        return numpy_helper.to_array(tensor)
    except (ValueError, TypeError):
        wrong = f"does not have the numbers its shape {tuple(tensor.dims)} asks for"
        raise UserError(f"{_name(tensor)} {wrong}") from None


def whole_tensor(tensor: Any, folder: Path) -> Any:
    """An `onnx.TensorProto` with its numbers in it: itself, where they are.

    Raises:
        UserError: they are in a file that is not there, is too short, or is outside the model's folder.
    """
    from onnx import TensorProto, helper

    if tensor.data_location != TensorProto.EXTERNAL:
        return tensor
    try:
        itemsize = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.data_type)).itemsize
        bits = _BITS.get(TensorProto.DataType.Name(tensor.data_type), 8 * itemsize)
    except (KeyError, ValueError):
        raise UserError(f"{_name(tensor)} is of a data type that is not read") from None
    content = _external(tensor, folder, -(-_count(tensor) * bits // 8))
    return TensorProto(name=tensor.name, data_type=tensor.data_type, dims=tensor.dims, raw_data=content)


def read_external_data(model: Any, folder: Path) -> None:
    """Put the numbers that lie beside an `onnx.ModelProto` into it, those of branches and functions too.

    onnxruntime would look for them where the program was started.

    Raises:
        UserError: as for `whole_tensor`.
    """
    from onnx import TensorProto

    for tensor in (*_of_graph(model.graph), *(t for f in model.functions for t in _of_nodes(f.node))):
        if tensor.data_location == TensorProto.EXTERNAL:
            tensor.CopyFrom(whole_tensor(tensor, folder))


def _of_graph(graph: Any) -> Iterator[Any]:
    """Every tensor of a graph."""
    yield from graph.initializer
    yield from (part for sparse in graph.sparse_initializer for part in (sparse.values, sparse.indices))
    yield from _of_nodes(graph.node)


def _of_nodes(nodes: Iterable[Any]) -> Iterator[Any]:
    """Every tensor that nodes have in their attributes, and in the graphs there."""
    for attribute in (attribute for node in nodes for attribute in node.attribute):
        yield from (*([attribute.t] if attribute.HasField("t") else ()), *attribute.tensors)
        sparse = [*([attribute.sparse_tensor] if attribute.HasField("sparse_tensor") else ())]
        yield from (
            part for own in (*sparse, *attribute.sparse_tensors) for part in (own.values, own.indices)
        )
        for graph in (*([attribute.g] if attribute.HasField("g") else ()), *attribute.graphs):
            yield from _of_graph(graph)


def _name(tensor: Any) -> str:
    return printable(tensor.name or "a constant")


def _count(tensor: Any) -> int:
    """How many numbers its shape claims.

    Raises:
        UserError: more than are read.
    """
    shape = tuple(tensor.dims)
    if any(size < 0 for size in shape) or math.prod(shape) > MOST_NUMBERS:
        wrong = f"claims the shape {shape}; at most {MOST_NUMBERS:,} numbers are read"
        raise UserError(f"{_name(tensor)} {wrong}")
    return math.prod(shape)


def _external(tensor: Any, folder: Path, length: int) -> bytes:
    """The bytes of a tensor that are kept in a file beside the model."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    place = f"{_name(tensor)} is kept in {printable(entries.get('location', ''))}"
    try:
        path = (folder / entries.get("location", "")).resolve()
        offset = int(entries.get("offset", "0"))
        if not path.is_relative_to(folder.resolve()):
            raise UserError(f"{place}, outside the model's folder, which is not read")
        if not path.is_file():
            raise UserError(f"{place}, which is not there")
        if offset < 0 or offset + length > path.stat().st_size:
            raise UserError(f"{place}, which is too short for it")
        with path.open("rb") as file:
            file.seek(offset)
            content: bytes = file.read(length)
            return content
    except (OSError, ValueError):
        raise UserError(f"{place}, which cannot be read") from None

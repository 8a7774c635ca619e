"""The recurrent layers of an ONNX model: its LSTM, GRU and RNN nodes, stacked where they are. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lstmtui.errors import UserError
from lstmtui.libraries import load_library
from lstmtui.models.onnx_constants import Constants
from lstmtui.models.onnx_layer import OnnxLayer, source_of, stacked
from lstmtui.models.onnx_node import OnnxNode, read_node
from lstmtui.models.onnx_unread import unread_nodes
from lstmtui.printable import printable

LARGEST = 512 << 20
"""The most bytes a model may have; larger ones keep their weights as external data."""
OLDEST_OPSET = 7
"""From here on the operators mean what they mean today."""

_MALFORMED = (ValueError, TypeError, KeyError, IndexError, AttributeError, AssertionError)


def onnx_layers(path: Path) -> tuple[OnnxLayer, ...]:
    """The recurrent layers of an ONNX model's main graph, in its order.

    A node whose X is all of another's Y is a layer on top of it where both are of one kind and size.

    Raises:
        UserError: the file cannot be read, or the `onnx` package is not installed.
    """
    model = _load(path)
    graph = model.graph
    constants = Constants(graph, _opset(model), path.parent)
    read: dict[str, OnnxNode | str] = {}
    below: dict[str, str] = {}
    outputs: dict[str, str] = {}
    for node in graph.node:
        if node.op_type in ("LSTM", "GRU", "RNN") and node.domain in ("", "ai.onnx"):
            name = _name(node, read)
            try:
                read[name] = read_node(node, name, constants)
                if node.input and (source := source_of(node.input[0], constants)) in outputs:
                    below[name] = outputs[source]
            except UserError as error:
                read[name] = str(error)
            except _MALFORMED:
                read[name] = "its attributes or inputs are not those of such a node"
            if node.output and node.output[0]:
                outputs[node.output[0]] = name
    for node, why in unread_nodes(graph):
        read[_name(node, read)] = why
    return tuple(stacked(read, below))


def _load(path: Path) -> Any:
    load_library("onnx")
    import onnx
    from google.protobuf.message import DecodeError

    name = printable(path.name)
    if path.stat().st_size > LARGEST:
        raise UserError(f"{name} has more than {LARGEST >> 20} MiB; save its weights as external data")
    try:
        model = onnx.load(str(path), format="protobuf", load_external_data=False)
    except (DecodeError, OSError, ValueError, RecursionError):
        raise UserError(f"{name} is not a readable ONNX model: it is cut off or of another kind") from None
    opset = _opset(model)
    if not opset or not model.graph.node:
        raise UserError(f"{name} is not a readable ONNX model: it has no graph of ONNX's operators")
    if opset < OLDEST_OPSET:
        raise UserError(
            f"{name} is of opset {opset}, {OLDEST_OPSET} or later is read; "
            "onnx.version_converter brings it up to date"
        )
    return model


def _opset(model: Any) -> int:
    """The version of ONNX's own operators; 0 where the model names none."""
    return max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=0)


def _name(node: Any, taken: Mapping[str, Any]) -> str:
    """A node's own name, or that of its first output, and a number where it is taken."""
    own = node.name or next((output for output in node.output if output), "") or node.op_type
    name, number = own, 2
    while name in taken:
        name, number = f"{own}_{number}", number + 1
    return name

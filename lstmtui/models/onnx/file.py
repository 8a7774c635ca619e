"""The recurrent layers of an ONNX model: its LSTM, GRU and RNN nodes, stacked where they are. No torch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lstmtui.errors import UserError
from lstmtui.models.onnx.bodies import Body, bodies_of
from lstmtui.models.onnx.constants import Constants
from lstmtui.models.onnx.graph import declared, is_batch_first, reads_input, state_inputs
from lstmtui.models.onnx.layer import OnnxFile, OnnxLayer, source_of, stacked
from lstmtui.models.onnx.model import OWN_DOMAINS, RECURRENT, is_recurrent, load_model
from lstmtui.models.onnx.node import OnnxNode, read_node
from lstmtui.printable import printable

_MALFORMED = (ValueError, TypeError, KeyError, IndexError, AttributeError, AssertionError)
_MOVES = (
    "Identity", "Dropout", "Cast", "Constant", "Concat", "Slice", "Split", "Squeeze", "Unsqueeze",
    "Transpose", "Reshape", "Shape", "Gather", "ConstantOfShape", "Expand", "Tile",
)  # fmt: skip
"""Operators that move numbers about, and change none."""


def onnx_file(path: Path) -> OnnxFile:
    """The recurrent layers of an ONNX model, wherever they are, and what its graph takes and gives.

    A node whose X is all of another's Y is a layer on top of it where both are of one kind and size.

    Raises:
        UserError: the file cannot be read, or the `onnx` package is not installed.
    """
    model = load_model(path)
    body = bodies_of(model)
    layers = tuple(_layers(body, Constants(body, path.parent)))
    inputs = tuple(v for v in declared(model.graph.input) if v.name not in body.initializers)
    return OnnxFile(
        layers,
        inputs,
        declared(model.graph.output),
        state_inputs(body),
        is_layer_alone=len(layers) == 1 and _is_nothing_but_recurrent(body) and reads_input(body),
        operators=_operators(body),
        batch_first=tuple(v.name for v in inputs if is_batch_first(body, v.name)),
        time_first=tuple(v.name for v in inputs if is_batch_first(body, v.name) is False),
    )


def _layers(body: Body, constants: Constants) -> Iterator[OnnxLayer]:
    """Those of a body, then those of the bodies in it."""
    read: dict[str, OnnxNode | str] = {}
    below: dict[str, str] = {}
    outputs: dict[str, str] = {}
    for index, node in enumerate(body.nodes):
        name = body.place_of(index)
        if is_recurrent(node):
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
        elif node.domain not in OWN_DOMAINS and node.op_type.endswith(RECURRENT) and not body.inner[index]:
            read[name] = _of_other_makers(node)
    yield from stacked(read, below)
    for held in body.inner:
        for _, inner in held:
            yield from _layers(inner, Constants(inner, constants.folder, constants))


def _of_other_makers(node: Any) -> str:
    what = "its weights are quantised" if "Quantize" in node.op_type else "it is not one of ONNX's operators"
    return f"{what} ({printable(node.domain)}.{printable(node.op_type)}); export the model without it"


def _is_nothing_but_recurrent(body: Body) -> bool:
    return all(
        is_recurrent(node) or (node.op_type in _MOVES and node.domain in OWN_DOMAINS) for node in body.nodes
    )


def _operators(body: Body) -> tuple[str, ...]:
    """Every operator in the model, by name, once."""
    return tuple(sorted({printable(node.op_type) for inner in body.walk() for node in inner.nodes}))

"""What an ONNX model holds as bytes that carry numbers and text only, and back again. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import IO, Any

from lstmtui.models.onnx.graph import GraphValue
from lstmtui.models.onnx.layer import OnnxFile, OnnxLayer, layer_of
from lstmtui.models.onnx.node import OnnxNode
from lstmtui.models.plain_transfer import read_plain, write_plain


def write_file(stream: IO[bytes], file: OnnxFile) -> None:
    """Write what a model holds."""
    write_plain(stream, _fields(file) | {"layers": [layer_as_plain(layer) for layer in file.layers]})


def read_file(content: bytes) -> OnnxFile:
    """What `write_file` wrote.

    Raises:
        ValueError: it is something else.
    """
    tree = read_plain(content)
    try:
        own = tree | {
            "layers": tuple(layer_from_plain(layer) for layer in tree["layers"]),
            "inputs": tuple(GraphValue(**value) for value in tree["inputs"]),
            "outputs": tuple(GraphValue(**value) for value in tree["outputs"]),
        }
        return OnnxFile(**own)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not what was written: {error}") from error


def layer_as_plain(layer: OnnxLayer) -> dict[str, Any]:
    """A layer as `write_plain` takes it."""
    return {"path": layer.path, "wrong": layer.wrong, "nodes": [_fields(node) for node in layer.nodes]}


def layer_from_plain(entry: Mapping[str, Any]) -> OnnxLayer:
    """The layer that `layer_as_plain` was given."""
    if nodes := entry["nodes"]:
        return layer_of([OnnxNode(**node) for node in nodes])
    return OnnxLayer(entry["path"], None, entry["wrong"])


def _fields(value: Any) -> dict[str, Any]:
    """The fields of a dataclass by name, those of the dataclasses in it too."""
    plain = {}
    for field in fields(value):
        own = getattr(value, field.name)
        is_nested = isinstance(own, tuple) and own and isinstance(own[0], GraphValue)
        plain[field.name] = [_fields(inner) for inner in own] if is_nested else own
    return plain

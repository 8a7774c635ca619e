"""Layers of an ONNX model as bytes that carry numbers and text only, and back again. No torch."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import fields
from io import BytesIO
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from lstmtui.models.onnx_layer import OnnxLayer, layer_of
from lstmtui.models.onnx_node import OnnxNode

if TYPE_CHECKING:
    from lstmtui.arrays import Array

_TREE = "tree"


def write_layers(stream: IO[bytes], layers: Sequence[OnnxLayer]) -> None:
    """Write layers as an .npz file: a tree in JSON, in which an array is its number, and the arrays."""
    arrays: list[Array] = []

    def plain(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            arrays.append(value)
            return {"array": len(arrays) - 1}
        if isinstance(value, Mapping):
            return {"mapping": {key: plain(inner) for key, inner in value.items()}}
        return [plain(inner) for inner in value] if isinstance(value, tuple) else value

    tree = [
        {
            "path": layer.path,
            "wrong": layer.wrong,
            "nodes": [{f.name: plain(getattr(node, f.name)) for f in fields(node)} for node in layer.nodes],
        }
        for layer in layers
    ]
    text = np.frombuffer(json.dumps(tree).encode(), np.uint8)
    members: dict[str, Any] = {str(number): array for number, array in enumerate(arrays)} | {_TREE: text}
    np.savez(stream, **members)


def read_layers(content: bytes) -> tuple[OnnxLayer, ...]:
    """The layers that `write_layers` wrote.

    Raises:
        ValueError: it is something else.
    """
    try:
        with np.load(BytesIO(content), allow_pickle=False) as file:

            def whole(value: Any) -> Any:
                if isinstance(value, list):
                    return tuple(whole(inner) for inner in value)
                if not isinstance(value, dict):
                    return value
                if "array" in value:
                    return file[str(value["array"])]
                return {key: whole(inner) for key, inner in value["mapping"].items()}

            tree = json.loads(file[_TREE].tobytes())
            return tuple(
                layer_of([OnnxNode(**{name: whole(value) for name, value in node.items()}) for node in nodes])
                if (nodes := entry["nodes"])
                else OnnxLayer(entry["path"], None, entry["wrong"])
                for entry in tree
            )
    except (KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"not what was written: {error}") from error

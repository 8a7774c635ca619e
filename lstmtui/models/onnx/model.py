"""An ONNX model as it is in its file, within bounds. No torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lstmtui.errors import UserError
from lstmtui.libraries import load_library
from lstmtui.printable import printable

LARGEST = 512 << 20
"""The most bytes a model may have; larger ones keep their weights as external data."""
OLDEST_OPSET = 7
"""From here on the operators mean what they mean today."""
OWN_DOMAINS = ("", "ai.onnx")
"""The names of ONNX's own operators' domain."""
RECURRENT = ("LSTM", "GRU", "RNN")
"""Its recurrent operators."""


def load_model(path: Path) -> Any:
    """The `onnx.ModelProto` of a file; external data is not read.

    Raises:
        UserError: it cannot be read, or the `onnx` package is not installed.
    """
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
    opset = opset_of(versions_of(model))
    if not opset or not model.graph.node:
        raise UserError(f"{name} is not a readable ONNX model: it has no graph of ONNX's operators")
    if opset < OLDEST_OPSET:
        raise UserError(
            f"{name} is of opset {opset}, {OLDEST_OPSET} or later is read; "
            "onnx.version_converter brings it up to date"
        )
    return model


def versions_of(part: Any) -> dict[str, int]:
    """The version of each domain's operators that a model or a function is made of."""
    return {entry.domain: entry.version for entry in part.opset_import}


def opset_of(versions: dict[str, int]) -> int:
    """The version of ONNX's own operators; 0 where none is named."""
    return max((version for domain, version in versions.items() if domain in OWN_DOMAINS), default=0)


def is_recurrent(node: Any) -> bool:
    """Whether a node is an LSTM, GRU or RNN of ONNX's own."""
    return node.op_type in RECURRENT and node.domain in OWN_DOMAINS

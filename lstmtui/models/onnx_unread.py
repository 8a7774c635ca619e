"""Recurrent nodes of an ONNX model that are not read, and why. No torch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lstmtui.printable import printable

_RECURRENT = ("LSTM", "GRU", "RNN")
_DEEPEST = 16
"""How many graphs within graphs are looked into."""


def unread_nodes(graph: Any) -> Iterator[tuple[Any, str]]:
    """Each node with a sentence: those in the branches of others, and those of other makers' operators.

    Args:
        graph: the `onnx.GraphProto`.
    """
    waiting: list[tuple[Any, str]] = [(graph, "")]
    for _ in range(_DEEPEST):
        inner = []
        for part, where in waiting:
            for node in part.node:
                why = where or _of_other_makers(node)
                if why and node.op_type.endswith(_RECURRENT):
                    yield node, why
                inner += [(branch, _inside(node)) for branch in _branches(node)]
        waiting = inner


def _of_other_makers(node: Any) -> str:
    if node.domain in ("", "ai.onnx"):
        return ""
    what = "its weights are quantised" if "Quantize" in node.op_type else "it is not one of ONNX's operators"
    return f"{what} ({printable(node.domain)}.{printable(node.op_type)}); export the model without it"


def _inside(node: Any) -> str:
    kind, name = printable(node.op_type), printable(node.name)
    runs = "where its condition says so" if node.op_type == "If" else "as often as it says"
    return f"it is in a graph of {kind} {name!r}, which runs {runs}; export the model without {kind}"


def _branches(node: Any) -> Iterator[Any]:
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs

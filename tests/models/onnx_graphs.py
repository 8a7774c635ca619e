"""ONNX graphs with recurrent nodes in the graphs of other nodes and in functions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
HIDDEN, INPUT = 4, 3
OPSET = 17


def value(name: str, shape: Sequence[int | str] | None = None, kind: int = FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def tensors(**arrays: Any) -> list[onnx.TensorProto]:
    return [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()]


def weights(
    random: np.random.Generator, prefix: str = "", operator: str = "LSTM", directions: int = 1
) -> Any:
    """W, R and B of a node, as initializers."""
    rows = {"LSTM": 4, "GRU": 3, "RNN": 1}[operator] * HIDDEN
    shapes = {
        "W": (directions, rows, INPUT),
        "R": (directions, rows, HIDDEN),
        "B": (directions, 2 * rows),
    }
    arrays = {prefix + k: random.standard_normal(s).astype(np.float32) * 0.7 for k, s in shapes.items()}
    return tensors(**arrays)


def lstm(
    prefix: str, x: str, h0: str = "", c0: str = "", shared: str | None = None, **attributes: Any
) -> Any:
    """An LSTM node; its weights are those of `shared`, or of its own prefix."""
    own = prefix if shared is None else shared
    inputs = [x, own + "W", own + "R", own + "B", "", h0, c0]
    outputs = [prefix + "y", prefix + "yh", prefix + "yc"]
    return helper.make_node("LSTM", inputs, outputs, name=prefix + "lstm", hidden_size=HIDDEN, **attributes)


def model_of(
    nodes: Sequence[Any],
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    initializers: Sequence[Any] = (),
    functions: Sequence[Any] = (),
) -> onnx.ModelProto:
    graph = helper.make_graph(nodes, "graph", inputs, outputs, initializers)
    opsets = [helper.make_opsetid("", OPSET)]
    if functions:
        opsets.append(helper.make_opsetid("own", 1))
    return helper.make_model(graph, opset_imports=opsets, functions=functions, ir_version=8)


def saved(folder: Path, model: onnx.ModelProto) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def branches(random: np.random.Generator, condition: str = "is16") -> onnx.ModelProto:
    """Two LSTMs in the branches of an If, their states cut out of one input of the graph."""
    graphs = []
    for prefix in ("k16_", "k8_"):
        nodes = [
            helper.make_node("Gather", ["state", "i0"], [prefix + "h0"], axis=0),
            helper.make_node("Gather", ["state", "i1"], [prefix + "c0"], axis=0),
            lstm(prefix, "x", prefix + "h0", prefix + "c0"),
            helper.make_node("Concat", [prefix + "yh", prefix + "yc"], [prefix + "s"], axis=0),
        ]
        outputs = [value(prefix + "y"), value(prefix + "s")]
        graphs.append(helper.make_graph(nodes, prefix, [], outputs, weights(random, prefix)))
    node = helper.make_node(
        "If", [condition], ["y", "stateN"], name="rate", then_branch=graphs[0], else_branch=graphs[1]
    )
    return model_of(
        [node],
        [value("x", ["T", "B", INPUT]), value("state", [2, "B", HIDDEN]), value("is16", [], BOOL)],
        [value("y"), value("stateN")],
        tensors(i0=np.array([0]), i1=np.array([1])),
    )

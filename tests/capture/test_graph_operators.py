"""Every operator that a gradient goes through gives what onnxruntime gives for it."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import helper

from lstmtui.capture.graph.operators import OPERATORS
from lstmtui.models.onnx.tape import Operation

random = np.random.default_rng(0)
X = random.standard_normal((2, 3, 4)).astype(np.float32)
POSITIVE = np.abs(X) + 0.1
Y = random.standard_normal((4, 5)).astype(np.float32)
ROW = random.standard_normal(4).astype(np.float32)


def ints(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int64)


PLAIN = (
    "Identity", "Neg", "Abs", "Exp", "Sigmoid", "Tanh", "Relu", "Softplus", "LeakyRelu", "Elu", "Erf",
    "Dropout", "Transpose", "Squeeze", "Softmax", "LogSoftmax", "ReduceMean", "ReduceMax", "ReduceMin",
    "Clip", "Flatten",
)  # fmt: skip
CASES: list[tuple[str, list[Any], dict[str, Any], int]] = [
    *((name, [X], {}, 17) for name in PLAIN),
    *((name, [POSITIVE], {}, 17) for name in ("Log", "Sqrt", "Reciprocal")),
    *((name, [X, ROW], {}, 17) for name in ("Add", "Sub", "Mul", "Div")),
    ("Pow", [POSITIVE, np.float32(1.5)], {}, 17),
    ("Sum", [X, ROW, X], {}, 17),
    ("LeakyRelu", [X], {"alpha": 0.3}, 17),
    ("Elu", [X], {"alpha": 0.3}, 17),
    ("Gelu", [X], {}, 20),
    ("Gelu", [X], {"approximate": "tanh"}, 20),
    ("Cast", [X], {"to": 11}, 17),
    ("Clip", [X], {"min": -0.5, "max": 0.2}, 7),
    ("Clip", [X, np.float32(-0.5), np.float32(0.2)], {}, 17),
    ("Clip", [X, None, np.float32(0.2)], {}, 17),
    ("MatMul", [X, Y], {}, 17),
    ("MatMul", [X, ROW], {}, 17),
    ("Gemm", [X[0], Y], {}, 17),
    ("Gemm", [X[0].T.copy(), Y.T.copy(), Y[:3]], {"transA": 1, "transB": 1, "alpha": 0.5, "beta": 2.0}, 17),
    ("Conv", [X, random.standard_normal((5, 3, 2)).astype("f"), Y[0]], {"pads": [1, 0], "strides": [2]}, 17),
    ("Conv", [X[None], random.standard_normal((2, 1, 2, 2)).astype("f")],
     {"pads": [0, 1, 2, 0], "dilations": [1, 2], "group": 2}, 17),
    ("LayerNormalization", [X, ROW, ROW], {"epsilon": 1e-3}, 17),
    ("LayerNormalization", [X, np.ones((3, 4), np.float32)], {"axis": 1}, 17),
    ("Softmax", [X], {}, 11),
    ("Softmax", [X], {"axis": -1}, 11),
    ("Softmax", [X], {"axis": 1}, 17),
    ("LogSoftmax", [X], {"axis": 2}, 9),
    ("Transpose", [X], {"perm": [1, 0, 2]}, 17),
    ("Reshape", [X, ints(0, -1)], {}, 17),
    ("Reshape", [X, ints(4, 6)], {"allowzero": 1}, 17),
    ("Flatten", [X], {"axis": 2}, 17),
    ("Flatten", [X], {"axis": -1}, 17),
    ("Flatten", [X], {"axis": 0}, 17),
    ("Squeeze", [X[:1], ints(0)], {}, 17),
    ("Squeeze", [X[:1, :, None]], {"axes": [0, 2]}, 11),
    ("Unsqueeze", [X, ints(0, -1)], {}, 17),
    ("Unsqueeze", [X], {"axes": [1]}, 11),
    ("Slice", [X, ints(1), ints(2**62), ints(2)], {}, 17),
    ("Slice", [X, ints(-1, 2), ints(-(2**62), 0), ints(2, 1), ints(-2, -1)], {}, 17),
    ("Slice", [X], {"starts": [0, -2], "ends": [1, 100]}, 9),
    ("Gather", [X, np.array(-1)], {"axis": 1}, 17),
    ("Gather", [X, np.array([[0, 1], [-1, 0]])], {"axis": -1}, 17),
    ("Split", [X, ints(1, 3)], {"axis": 2}, 17),
    ("Split", [X], {"axis": 2}, 11),
    ("Concat", [X, X[:, :1]], {"axis": -2}, 17),
    ("ConcatFromSequence", [X, X + 1], {"axis": 1}, 17),
    ("ConcatFromSequence", [X, X + 1], {"axis": -1, "new_axis": 1}, 17),
    ("Expand", [X[:, :1], ints(3, 1)], {}, 17),
    ("Where", [X > 0, X, ROW], {}, 17),
    ("ReduceMean", [X], {"axes": [1], "keepdims": 0}, 17),
    ("ReduceMean", [X, ints(-1)], {}, 18),
    ("ReduceSum", [X, ints(0, 2)], {"keepdims": 0}, 17),
    ("ReduceSum", [X], {"noop_with_empty_axes": 1}, 17),
    ("ReduceMax", [X], {"axes": [2]}, 17),
    ("ReduceMin", [X], {"axes": [0, 1]}, 17),
]  # fmt: skip


@pytest.mark.parametrize("case", range(len(CASES)), ids=[f"{c[0]}-{n}" for n, c in enumerate(CASES)])
def test_an_operator_gives_what_onnxruntime_gives(case: int) -> None:
    operator, inputs, attributes, opset = CASES[case]
    names = ["" if array is None else f"i{n}" for n, array in enumerate(inputs)]
    outputs = ["a", "b"] if operator == "Split" else ["a"]
    given = {name: np.asarray(array) for name, array in zip(names, inputs, strict=True) if name}
    sources = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), None)
        for name, array in given.items()
    ]
    node = helper.make_node(operator, names, outputs, **attributes)
    nodes = [node]
    if operator == "ConcatFromSequence":  # Its parts are inputs of the operation.
        nodes = [helper.make_node("SequenceConstruct", names, ["parts"]), node]
        node.input[:] = ["parts"]
    results = [onnx.ValueInfoProto(name=name) for name in outputs]
    graph = helper.make_graph(nodes, "one", sources, results)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    expected = onnxruntime.InferenceSession(model.SerializeToString()).run(None, given)
    plain = {key: tuple(own) if isinstance(own, list) else own for key, own in attributes.items()}
    operation = Operation(operator, opset, plain, tuple(range(len(inputs))), tuple(range(len(outputs))))
    given_tensors = [None if array is None else torch.as_tensor(np.array(array)) for array in inputs]
    ours = OPERATORS[operator](operation, given_tensors)
    for own, theirs in zip([ours] if len(outputs) == 1 else ours, expected, strict=True):
        assert own.numpy().dtype == theirs.dtype
        assert own.shape == theirs.shape
        np.testing.assert_allclose(own, theirs, rtol=1e-5, atol=1e-6)


def test_every_operator_is_held_against_onnxruntime() -> None:
    assert {case[0] for case in CASES} == set(OPERATORS)


@pytest.mark.parametrize(
    ("operator", "inputs", "attributes"),
    [
        ("Cast", [X], {"to": 7}),
        ("Conv", [X, X], {"auto_pad": "SAME_UPPER"}),
        ("Dropout", [X, np.float32(0.5), np.array(True)], {}),
    ],
)
def test_what_has_no_gradient_or_is_drawn_is_not_run(
    operator: str, inputs: list[Any], attributes: dict[str, Any]
) -> None:
    operation = Operation(operator, 17, attributes, (), (0,))
    with pytest.raises(NotImplementedError):
        OPERATORS[operator](operation, [torch.as_tensor(array) for array in inputs])

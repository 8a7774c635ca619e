"""Constants that a graph makes of its initializers are those that ONNX defines, in every opset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lstmtui.errors import UserError

onnx = pytest.importorskip("onnx")
WEIGHT = np.arange(60, dtype=np.float32).reshape(3, 4, 5)


def folded(opset: int, operator: str, *numbers: Any, **attributes: Any) -> Any:
    """The output of one node, whose first input is WEIGHT."""
    from lstmtui.models.onnx.bodies import bodies_of
    from lstmtui.models.onnx.constants import Constants

    inputs = {"weight": WEIGHT, **{f"i{n}": np.array(v, np.int64) for n, v in enumerate(numbers)}}
    node = onnx.helper.make_node(operator, list(inputs), ["y"], **attributes)
    tensors = [onnx.numpy_helper.from_array(array, name) for name, array in inputs.items()]
    graph = onnx.helper.make_graph([node], "g", [], [], tensors)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)])
    return Constants(bodies_of(model), Path()).array("y")


@pytest.mark.parametrize(
    ("opset", "operator", "numbers", "attributes", "expected"),
    [
        (9, "Slice", (), {"starts": [1], "ends": [3], "axes": [2]}, WEIGHT[:, :, 1:3]),
        (18, "Slice", ([1], [3], [2]), {}, WEIGHT[:, :, 1:3]),
        (18, "Slice", ([-1], [-(2**62)], [0], [-1]), {}, WEIGHT[::-1]),
        (9, "Unsqueeze", (), {"axes": [0]}, WEIGHT[None]),
        (13, "Unsqueeze", ([0],), {}, WEIGHT[None]),
        (13, "Reshape", ([0, -1],), {}, WEIGHT.reshape(3, 20)),
        (13, "Transpose", (), {"perm": [2, 0, 1]}, WEIGHT.transpose(2, 0, 1)),
        (13, "Cast", (), {"to": onnx.TensorProto.DOUBLE}, WEIGHT.astype(np.float64)),
        (13, "Exp", (), {}, None),
    ],
)
def test_what_a_node_gives(opset: int, operator: str, numbers: Any, attributes: Any, expected: Any) -> None:
    array = folded(opset, operator, *numbers, **attributes)
    assert (array is None) == (expected is None)
    if expected is not None:
        assert array.dtype == expected.dtype
        np.testing.assert_array_equal(array, expected)


def test_a_node_that_cannot_be_worked_out_is_a_sentence() -> None:
    with pytest.raises(UserError, match=r"y cannot be worked out: .*reshape"):
        folded(13, "Reshape", [7, 7])

"""Numbers that lie beside a model are those of its own folder, of every kind, and wherever they are used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from models.onnx_graphs import BOOL, INPUT, lstm, model_of, saved, tensors, value, weights
from onnx import TensorProto, helper, numpy_helper

from lstmtui.errors import UserError
from lstmtui.models.onnx.graph_process import answered
from lstmtui.models.onnx.graph_request import GraphRequest
from lstmtui.models.onnx.tensors import whole_tensor

X = np.random.default_rng(0).standard_normal((4, 2, INPUT)).astype(np.float32)


def kept_beside(folder: Path, tensor: Any, location: str) -> Any:
    """A tensor with its numbers in a file."""
    (folder / location).write_bytes(bytes(4) + tensor.raw_data)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, text in (("location", location), ("offset", "4")):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, text
    return tensor


@pytest.mark.parametrize("kind", ["FLOAT16", "BFLOAT16", "FLOAT", "DOUBLE", "INT8", "UINT16", "BOOL", "INT4"])
def test_numbers_of_every_kind_are_read(tmp_path: Path, kind: str) -> None:
    dtype = helper.tensor_dtype_to_np_dtype(TensorProto.DataType.Value(kind))
    array = np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]).astype(dtype)
    tensor = numpy_helper.from_array(array, "w")
    read = whole_tensor(kept_beside(tmp_path, tensor, "w.bin"), tmp_path)
    assert read.data_type == TensorProto.DataType.Value(kind)
    np.testing.assert_array_equal(numpy_helper.to_array(read), array)


def half(name: str, random: np.random.Generator) -> Any:
    return numpy_helper.from_array(random.standard_normal((INPUT, INPUT)).astype(np.float16), name)


def mixed(matrix: str, end: str) -> list[Any]:
    """x · matrix in half precision."""
    return [
        helper.make_node("Cast", ["x"], [end + "a"], to=TensorProto.FLOAT16),
        helper.make_node("MatMul", [end + "a", matrix], [end + "b"]),
        helper.make_node("Cast", [end + "b"], [end], to=TensorProto.FLOAT),
    ]


@pytest.mark.parametrize("place", ["graph", "branch", "constant", "function"])
def test_numbers_are_found_wherever_they_are_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Also where the program is started in another folder, with a file of that name of its own."""
    random = np.random.default_rng(1)
    tensor, folder, elsewhere = half("K", random), tmp_path / "model", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    (elsewhere / "k.bin").write_bytes(bytes(100))
    monkeypatch.chdir(elsewhere)
    expected = X @ numpy_helper.to_array(tensor).astype(np.float32)
    kept_beside(folder, tensor, "k.bin")
    constant = helper.make_node("Constant", [], ["K"], value=tensor)
    initializers = [*weights(random), *tensors(yes=np.array(True))]
    functions = []
    if place == "graph":
        nodes, initializers = mixed("K", "z"), [*initializers, tensor]
    elif place == "function":
        opsets = [helper.make_opsetid("", 17)]
        functions = [helper.make_function("own", "f", ["x"], ["z"], [constant, *mixed("K", "z")], opsets)]
        nodes = [helper.make_node("f", ["x"], ["z"], domain="own")]
    else:
        inside = [constant, *mixed("K", "t")] if place == "constant" else mixed("K", "t")
        then = helper.make_graph(inside, "t", [], [value("t")], [tensor] if place == "branch" else [])
        other = helper.make_graph([helper.make_node("Identity", ["x"], ["e"])], "e", [], [value("e")])
        nodes = [helper.make_node("If", ["yes"], ["z"], then_branch=then, else_branch=other)]
    model = model_of(
        [*nodes, lstm("", "z")], [value("x", ["T", "B", INPUT])], [value("y")], initializers, functions
    )
    answer = answered(saved(folder, model), GraphRequest({}, [{"x": X}]))
    np.testing.assert_allclose(answer.runs[0].arrays["X"], expected, atol=0.01)


def test_a_branch_reads_nothing_outside_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    tensor = kept_beside(tmp_path, half("K", np.random.default_rng(2)), "k.bin")
    tensor.external_data[0].value = "../k.bin"
    graphs = [
        helper.make_graph(mixed("K", end), end, [], [value(end)], [tensor] if end == "t" else [])
        for end in ("t", "e")
    ]
    node = helper.make_node("If", ["c"], ["z"], then_branch=graphs[0], else_branch=graphs[1])
    inputs = [value("x", ["T", "B", INPUT]), value("c", [], BOOL)]
    model = model_of([node, lstm("", "z")], inputs, [value("y")], weights(np.random.default_rng(3)))
    with pytest.raises(UserError, match=r"K is kept in \.\./k\.bin, outside the model's folder"):
        answered(saved(folder, model), GraphRequest({"c": np.array(False)}, [{"x": X}]))

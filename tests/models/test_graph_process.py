"""Graphs that are made to do harm run in another process: whatever happens is a sentence, in bounded time."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import onnx
import pytest
from clock import Within
from models.onnx_graphs import BOOL, INPUT, INT64, branches, lstm, model_of, saved, tensors, value, weights
from onnx import TensorProto, helper

from lstmtui.errors import UserError
from lstmtui.libraries import MissingLibrary
from lstmtui.models.onnx import graph_process
from lstmtui.models.onnx.graph_process import answered, run_graph
from lstmtui.models.onnx.graph_request import GraphRequest

X = value("x", ["T", "B", INPUT])
ONES = GraphRequest({}, [{"x": np.ones((3, 1, INPUT), np.float32)}])


def random() -> np.random.Generator:
    return np.random.default_rng(3)


def test_what_comes_from_the_other_process_is_what_this_one_runs(tmp_path: Path) -> None:
    path = saved(tmp_path, branches(random()))
    pieces = [{"x": np.full((n, 2, INPUT), n, np.float32)} for n in (1, 3, 2)]
    fixed = {"state": np.zeros((2, 2, 4), np.float32), "is16": np.array(True)}
    request = GraphRequest(fixed, pieces, {"state": "stateN"}, threads=2)
    theirs, ours = run_graph(path, request), answered(path, request)
    assert [layer.path for layer in theirs.layers] == [layer.path for layer in ours.layers]
    for name, array in ours.layers[0].parameters().items():
        np.testing.assert_array_equal(theirs.layers[0].parameters()[name], array)
    assert len(theirs.runs) == 3
    for their, own in zip(theirs.runs, ours.runs, strict=True):
        assert (their.layer, their.call) == (own.layer, own.call)
        np.testing.assert_equal(dict(their.arrays), dict(own.arrays))
    np.testing.assert_equal(dict(theirs.outputs), dict(ours.outputs))


def endless(inside: list[onnx.NodeProto], result: onnx.ValueInfoProto) -> onnx.ModelProto:
    body = helper.make_graph(
        [*inside, helper.make_node("Identity", ["going"], ["go"])],
        "body",
        [value("i", [], INT64), value("going", [], BOOL)],
        [value("go", [], BOOL), result],
    )
    loop = helper.make_node("Loop", ["trips", ""], ["l"], name="loop", body=body)
    last = lstm("z_", "x", shared="")
    trips = tensors(trips=np.array(1 << 62))
    return model_of([loop, last], [X], [value("z_y"), value("l", None, INT64)], [*weights(random()), *trips])


@pytest.mark.clock
@pytest.mark.parametrize("is_followed", [False, True])
def test_an_endless_loop_is_given_up(tmp_path: Path, within: Within, is_followed: bool) -> None:
    inside = [helper.make_node("Identity", ["i"], ["n"]), *([lstm("", "x")] if is_followed else [])]
    path = saved(tmp_path, endless(inside, value("n", [], INT64)))
    with within(30), pytest.raises(UserError, match=r"model\.onnx: running it was given up after 2 seconds"):
        run_graph(path, ONES, seconds=2)


def test_a_constant_that_asks_for_the_machines_memory_is_refused(tmp_path: Path) -> None:
    nodes = [
        lstm("", "x"),
        helper.make_node("ConstantOfShape", ["s"], ["big"]),
        helper.make_node("ReduceSum", ["big"], ["b"]),
    ]
    sizes = tensors(s=np.array([1 << 20, 1 << 20]))
    path = saved(tmp_path, model_of(nodes, [X], [value("y"), value("b")], [*weights(random()), *sizes]))
    with pytest.raises(UserError, match=r"model\.onnx: takes more memory to run than it may have"):
        run_graph(path, ONES)


def test_a_process_that_dies_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def died(*_: object) -> subprocess.CompletedProcess[bytes]:
        return subprocess.CompletedProcess([], -11, b"")

    monkeypatch.setattr(graph_process, "_run", died)
    with pytest.raises(UserError, match=r"model\.onnx: onnxruntime failed on it \(SIGSEGV\)"):
        run_graph(saved(tmp_path, branches(random())), ONES)


def test_external_data_is_read_from_the_models_folder_only(tmp_path: Path) -> None:
    model = model_of([lstm("", "x")], [X], [value("y")], weights(random()))
    tensor = model.graph.initializer[0]
    content = tensor.raw_data
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "w.bin"
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "w.bin").write_bytes(content)
    path = saved(tmp_path / "in", model)
    assert len(answered(path, ONES).runs) == 1
    (tmp_path / "w.bin").write_bytes(content)
    entry.value = "../w.bin"
    with pytest.raises(UserError, match=r"W is kept in \.\./w\.bin, outside the model's folder"):
        answered(saved(tmp_path / "in", model), ONES)


def test_providers_that_are_not_there_are_named(tmp_path: Path) -> None:
    path = saved(tmp_path, branches(random()))
    with pytest.raises(UserError, match="onnxruntime has no NoneExecutionProvider here; it has "):
        answered(path, GraphRequest({}, [], providers=("NoneExecutionProvider",)))


def test_without_onnxruntime_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> object:
        return None if name == "onnxruntime" else object()

    monkeypatch.setattr("lstmtui.libraries.find_spec", missing)
    with pytest.raises(MissingLibrary, match=r"pip install 'lstmtui\[onnx\]'; without it, module = "):
        run_graph(saved(tmp_path, branches(random())), ONES)

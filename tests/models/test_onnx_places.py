"""Recurrent nodes are found wherever they are in an ONNX model, and named by their place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from models.onnx_graphs import (
    BOOL,
    FLOAT,
    HIDDEN,
    INPUT,
    INT64,
    OPSET,
    branches,
    lstm,
    model_of,
    saved,
    tensors,
    value,
    weights,
)  # fmt: skip
from onnx import helper

from lstmtui.__main__ import main
from lstmtui.errors import UserError
from lstmtui.models.onnx.file import onnx_file

X = value("x", ["T", "B", INPUT])


def random() -> np.random.Generator:
    return np.random.default_rng(5)


def test_nodes_in_branches_are_listed_with_what_the_graph_works_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = saved(tmp_path, branches(random()))
    assert main(["check", str(path)]) == 0
    head, graph, *layers = capsys.readouterr().out.splitlines()
    assert head == f"{path}: 2 recurrent layers"
    assert graph == (
        "  the graph takes x (T, B, 3) float32, state (2, B, 4) float32, is16 () bool; "
        "it gives y float32, stateN float32"
    )
    what = "lstm 3 → 4; states h and c; activations Sigmoid Tanh; the graph works out initial_h and initial_c"
    assert sorted(layers) == [f"  rate/else/k8_lstm: {what}", f"  rate/then/k16_lstm: {what}"]


def test_what_is_in_the_file_for_ever_is_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    node = lstm("", "x", "h0", "h0")
    node.input[4] = "lens"
    baked = tensors(h0=np.ones((1, 2, HIDDEN), np.float32), lens=np.array([6, 4], np.int32))
    main(["check", str(saved(tmp_path, model_of([node], [X], [value("y")], [*weights(random()), *baked])))])
    said = capsys.readouterr().out
    assert "initial_h is for 2 sequences for ever; initial_c is for 2 sequences for ever" in said
    assert "sequence_lens is 6, 4 for ever" in said


def test_nodes_of_loops_scans_and_functions_have_places(tmp_path: Path) -> None:
    body = helper.make_graph(
        [lstm("", "x"), helper.make_node("Identity", ["going"], ["go"])],
        "body",
        [value("i", [], INT64), value("going", [], BOOL)],
        [value("go", [], BOOL), value("y", None)],
    )
    loop = helper.make_node("Loop", ["trips", ""], ["ys"], name="loop", body=body)
    step = helper.make_graph([lstm("s_", "chunk", shared="")], "step", [value("chunk")], [value("s_y", None)])
    scan = helper.make_node("Scan", ["xs"], ["scanned"], name="scan", body=step, num_scan_inputs=1)
    function = helper.make_function(
        "own",
        "Voice",
        ["a", "W", "R", "B"],
        ["y"],
        [lstm("", "a")],
        [helper.make_opsetid("", OPSET)],
    )
    call = helper.make_node("Voice", ["x", "W", "R", "B"], ["v"], name="voice", domain="own")
    twice = helper.make_node("Voice", ["x", "W", "R", "B"], ["w"], name="voice", domain="own")
    path = saved(
        tmp_path,
        model_of(
            [loop, scan, call, twice],
            [X, value("xs", ["N", "T", "B", INPUT])],
            [value(name) for name in ("ys", "scanned", "v", "w")],
            [*weights(random()), *tensors(trips=np.array(3))],
            [function],
        ),
    )
    file = onnx_file(path)
    assert [layer.path for layer in file.layers] == [
        "loop/body/lstm", "scan/body/s_lstm", "voice/lstm", "voice_2/lstm",
    ]  # fmt: skip
    # All have the weights of the graph around them.
    first, *others = (layer.parameters() for layer in file.layers)
    for parameters in others:
        for name, array in first.items():
            np.testing.assert_array_equal(parameters[name], array)


def test_attributes_that_a_function_is_called_with_are_its_nodes(tmp_path: Path) -> None:
    node = lstm("", "a")
    del node.attribute[:]
    own = node.attribute.add()
    own.name, own.ref_attr_name, own.type = "hidden_size", "units", onnx.AttributeProto.INT
    function = helper.make_function(
        "own", "Voice", ["a", "W", "R", "B"], ["y"], [node], [helper.make_opsetid("", OPSET)], ["units"]
    )
    call = helper.make_node(
        "Voice", ["x", "W", "R", "B"], ["v"], name="voice", domain="own", units=HIDDEN + 1
    )
    path = saved(tmp_path, model_of([call], [X], [value("v")], weights(random()), [function]))
    (layer,) = onnx_file(path).layers
    assert "for hidden_size 5 and 1 direction" in layer.wrong


def test_functions_that_call_themselves_are_refused(tmp_path: Path) -> None:
    inner = helper.make_node("Voice", ["a"], ["y"], domain="own")
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("own", 1)]
    function = helper.make_function("own", "Voice", ["a"], ["y"], [inner], opsets)
    call = helper.make_node("Voice", ["x"], ["v"], domain="own")
    with pytest.raises(UserError, match="its function Voice calls itself"):
        onnx_file(saved(tmp_path, model_of([call], [X], [value("v")], [], [function])))


def test_functions_that_multiply_without_end_are_refused(tmp_path: Path) -> None:
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("own", 1)]
    functions = [
        helper.make_function(
            "own", f"F{n}", ["a"], ["y"],
            [helper.make_node(f"F{n + 1}", ["a"], [y], domain="own") for y in ("z", "y")], opsets,
        )
        for n in range(30)
    ]  # fmt: skip
    identity = helper.make_node("Identity", ["a"], ["y"])
    functions.append(helper.make_function("own", "F30", ["a"], ["y"], [identity], opsets))
    call = helper.make_node("F0", ["x"], ["v"], domain="own")
    with pytest.raises(UserError, match="are more than 4,096, or lie more than 32 deep"):
        onnx_file(saved(tmp_path, model_of([call], [X], [value("v")], [], functions)))


def test_a_graph_without_such_nodes_says_what_it_has(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nodes = [helper.make_node("Tanh", ["x"], ["a"]), helper.make_node("Sigmoid", ["a"], ["y"])]
    path = saved(tmp_path, model_of(nodes, [X], [value("y", None, FLOAT)]))
    assert main(["check", str(path)]) == 2
    said = capsys.readouterr().err
    assert (
        "no recurrent layer; it has no LSTM, GRU or RNN node, only Sigmoid, Tanh; a recurrence that is"
        in said
    )

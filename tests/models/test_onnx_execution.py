"""A graph that is followed gives what onnxruntime gives for all of it, and each recurrent node is seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from models.onnx_graphs import (
    BOOL,
    HIDDEN,
    INPUT,
    INT64,
    branches,
    lstm,
    model_of,
    saved,
    tensors,
    value,
    weights,
)  # fmt: skip
from models.random_graphs import RandomGraph
from onnx import helper

from lstmtui.errors import UserError
from lstmtui.models.onnx.graph_process import answered
from lstmtui.models.onnx.graph_request import GraphAnswer, GraphRequest

X = value("x", ["T", "B", INPUT])


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def whole(path: Path, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What onnxruntime gives for the file as it is."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds), strict=True))


def check(answer: GraphAnswer, expected: dict[str, np.ndarray], call: int = 0) -> None:
    for name, array in expected.items():
        np.testing.assert_allclose(answer.outputs[name][call], array, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("seed", range(40))
def test_random_graphs_give_what_onnxruntime_gives(tmp_path: Path, seed: int) -> None:
    path = saved(tmp_path, RandomGraph(seed).model(depth=3))
    x = noise(5, 2, INPUT, seed=seed)
    answer = answered(path, GraphRequest({}, [{"x": x}]))
    expected = whole(path, {"x": x})
    check(answer, expected)
    # Every state that any node has ended with is in `total`.
    states = [run.arrays[key] for run in answer.runs for key in ("Y_h", "Y_c") if key in run.arrays]
    ended_with = sum(float(state.sum(dtype=np.float64)) for state in states)
    assert ended_with == pytest.approx(float(expected["total"]), rel=1e-4, abs=1e-4)


def test_states_that_are_handed_back_are_those_of_the_call_before(tmp_path: Path) -> None:
    path = saved(tmp_path, branches(np.random.default_rng(1)))
    state, pieces = np.zeros((2, 2, HIDDEN), np.float32), [noise(2, 2, INPUT, seed=n) for n in range(5)]
    for is16 in (True, False):
        fixed = {"state": state, "is16": np.array(is16)}
        request = GraphRequest(fixed, [{"x": x} for x in pieces], {"state": "stateN"})
        answer, carried = answered(path, request), state
        assert [layer.path for layer in answer.layers] == [
            "rate/then/k16_lstm" if is16 else "rate/else/k8_lstm"
        ]
        for call, x in enumerate(pieces):
            expected = whole(path, {"x": x, "state": carried, "is16": np.array(is16)})
            check(answer, expected, call)
            np.testing.assert_array_equal(answer.runs[call].arrays["initial_h"], carried[:1])
            carried = answer.outputs["stateN"][call]


def test_only_the_node_that_is_named_is_kept(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    nodes = [lstm("a_", "x"), lstm("b_", "x")]
    initializers = [*weights(random, "a_"), *weights(random, "b_")]
    path = saved(tmp_path, model_of(nodes, [X], [value("a_y"), value("b_y")], initializers))
    answer = answered(path, GraphRequest({}, [{"x": noise(3, 1, INPUT)}], module="b_lstm"))
    assert [layer.path for layer in answer.layers] == ["b_lstm"]
    assert [run.layer for run in answer.runs] == [0]


def test_what_our_cells_have_not_runs_and_is_named(tmp_path: Path) -> None:
    nodes = [lstm("a_", "x", clip=1.0), helper.make_node("Identity", ["a_y"], ["y"])]
    path = saved(tmp_path, model_of(nodes, [X], [value("y")], weights(np.random.default_rng(3), "a_")))
    x = noise(3, 1, INPUT)
    answer = answered(path, GraphRequest({}, [{"x": x}]))
    check(answer, whole(path, {"x": x}))
    assert answer.runs == ()
    assert "its attribute clip, which cuts off" in answer.layers[0].wrong


def test_weights_that_change_from_round_to_round_are_refused(tmp_path: Path) -> None:
    body = helper.make_graph(
        [
            helper.make_node("Mul", ["w", "factor"], ["w2"]),
            helper.make_node("LSTM", ["x", "w2", "R", "B"], ["y"], name="lstm", hidden_size=HIDDEN),
            helper.make_node("Identity", ["going"], ["go"]),
        ],
        "body",
        [value("i", [], INT64), value("going", [], BOOL), value("w")],
        [value("go", [], BOOL), value("w2"), value("y", ["T", 1, "B", HIDDEN])],
    )
    loop = helper.make_node("Loop", ["trips", "", "W"], ["last", "ys"], name="loop", body=body)
    initializers = [*weights(np.random.default_rng(4)), *tensors(trips=np.array(3), factor=np.float32(0.9))]
    path = saved(tmp_path, model_of([loop], [X], [value("ys")], initializers))
    x = noise(3, 1, INPUT)
    answer = answered(path, GraphRequest({}, [{"x": x}]))
    check(answer, whole(path, {"x": x}))
    assert "its weights change while the graph runs" in answer.layers[0].wrong


def test_a_circle_is_a_sentence(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Add", ["x", "b"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        lstm("", "b"),
    ]
    path = saved(tmp_path, model_of(nodes, [X], [value("y")], weights(np.random.default_rng(5))))
    with pytest.raises(UserError, match=r"nothing has given it yet|onnxruntime: .*cycl"):
        answered(path, GraphRequest({}, [{"x": noise(3, 1, INPUT)}]))


@pytest.mark.parametrize(
    ("operator", "inputs", "attributes"),
    [
        ("If", ["no"], {}),
        ("Scan", ["x"], {"num_scan_inputs": 5}),
        ("Scan", ["x"], {"num_scan_inputs": 1, "scan_input_axes": [99]}),
    ],
)
def test_a_branch_or_a_loop_that_does_not_fit_is_a_sentence(
    tmp_path: Path, operator: str, inputs: list[str], attributes: dict[str, Any]
) -> None:
    inner = helper.make_graph([lstm("", "inside")], "inner", [value("inside")], [value("y")])
    held = {"then_branch" if operator == "If" else "body": inner}
    node = helper.make_node(operator, inputs, ["z"], name="held", **held, **attributes)
    initializers = [*weights(np.random.default_rng(6)), *tensors(no=np.array(False))]
    path = saved(tmp_path, model_of([node], [X], [value("z")], initializers))
    with pytest.raises(UserError, match=rf"held is no {operator} as ONNX defines it"):
        answered(path, GraphRequest({}, [{"x": noise(3, 2, INPUT)}]))


def test_a_scan_along_numbers_gives_them_one_by_one(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Mul", ["x", "scale"], ["scaled"]),
        lstm("", "scaled"),
        helper.make_node("Identity", ["scale"], ["own"]),
    ]
    body = helper.make_graph(nodes, "body", [value("scale", [])], [value("y"), value("own", [])])
    scan = helper.make_node("Scan", ["scales"], ["ys", "same"], name="scan", body=body, num_scan_inputs=1)
    initializers = [*weights(np.random.default_rng(7)), *tensors(scales=np.array([1, 2, 3], np.float32))]
    path = saved(tmp_path, model_of([scan], [X], [value("ys"), value("same")], initializers))
    x = noise(3, 2, INPUT)
    expected = whole(path, {"x": x})
    answer = answered(path, GraphRequest({}, [{"x": x}]))
    check(answer, expected)
    assert answer.outputs["same"][0].shape == expected["same"].shape == (3,)

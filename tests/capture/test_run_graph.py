"""Whole ONNX graphs as scenarios: onnxruntime's own y, its states in our cells, calls in a row as one run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from models.onnx_graphs import (
    HIDDEN,
    INPUT,
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
from torch import nn

import lstmtui
from lstmtui.__main__ import main
from lstmtui.capture.reruns.rerun import rerun
from lstmtui.errors import UserError
from lstmtui.models.onnx.file import onnx_file
from lstmtui.models.onnx.graph_process import answered
from lstmtui.models.onnx.graph_request import GraphRequest
from lstmtui.trace import Trace
from lstmtui.trace.edits import Edit

T, B = 6, 2
X = np.random.default_rng(7).standard_normal((T, B, INPUT)).astype(np.float32)
STATE = 'state = { state = "stateN" }'


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other processes, which take most of the time, are tested in tests/models."""
    monkeypatch.setattr("lstmtui.models.onnx.process.read_onnx_file", onnx_file)

    def run(path: Path, request: GraphRequest, seconds: float | None) -> Any:
        return answered(path, request)

    monkeypatch.setattr("lstmtui.capture.graph.run_graph.run_graph", run)


def recorded(
    folder: Path, model: onnx.ModelProto, keys: str = "", input_keys: str = "", more: str = ""
) -> Trace:
    """The trace of a scenario with the graph and X."""
    saved(folder, model)
    np.save(folder / "x.npy", X)
    text = f'[input]\nfile = "x.npy"\n{input_keys}\n[[model]]\nonnx = "model.onnx"\n{keys}\n{more}'
    (folder / "a.toml").write_text(text + '\n[run]\ndevice = "cpu"\n')
    (trace,) = lstmtui.run(folder / "a.toml").values()
    return trace


def session(folder: Path) -> Any:
    return onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("is16", [True, False])
def test_the_branch_that_its_condition_says_is_recorded(tmp_path: Path, is16: bool) -> None:
    keys = f"inputs = {{ is16 = {str(is16).lower()}, state = 0.25 }}"
    trace = recorded(tmp_path, branches(np.random.default_rng(1)), keys)
    feeds = {"x": X, "state": np.full((2, B, HIDDEN), 0.25, np.float32), "is16": np.array(is16)}
    y, state = session(tmp_path).run(None, feeds)
    assert trace.layers[0].path == ("rate/then/k16_lstm" if is16 else "rate/else/k8_lstm")
    np.testing.assert_allclose(trace.values("h"), y[:, 0], atol=1e-5)
    np.testing.assert_array_equal(trace.values("y"), y[:, 0])
    np.testing.assert_allclose(trace.values("c")[-1], state[1], atol=1e-5)
    assert trace.parity is not None
    assert 0 < trace.parity < 1e-6


def test_laws_on_a_graph_say_that_they_are_of_its_layers_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded(tmp_path, branches(np.random.default_rng(1)), "inputs = { is16 = true, state = 0.25 }")
    assert main(["laws", str(tmp_path / "a.toml"), "--only", "isolation"]) == 0
    assert "of the recorded layers and head alone" in capsys.readouterr().out


def stream(folder: Path, chunk: int) -> tuple[np.ndarray, np.ndarray]:
    """h of every timestep, and the states before each call, as onnxruntime gives them call after call."""
    run, state, parts, before = session(folder), np.zeros((2, B, HIDDEN), np.float32), [], []
    for at in range(0, T, chunk):
        before.append(state)
        y, state = run.run(None, {"x": X[at : at + chunk], "state": state, "is16": np.array(True)})
        parts.append(y[:, 0])
    return np.concatenate(parts), np.stack(before)


@pytest.mark.parametrize("chunk", [1, 2, 3])
@pytest.mark.parametrize("of_input", [True, False])
def test_calls_in_a_row_are_one_run_over_time(tmp_path: Path, chunk: int, of_input: bool) -> None:
    inputs = "inputs = { is16 = true }"
    keys = inputs if of_input else f"{inputs}\n{STATE}"
    both = f"chunk = {chunk}\n{STATE if of_input else ''}"
    trace = recorded(tmp_path, branches(np.random.default_rng(1)), keys, both)
    h, _ = stream(tmp_path, chunk)
    assert (trace.steps, len(trace.layers)) == (T, 1)
    assert (
        f"{T // chunk} calls, the states handed on from each to the next, are one run" in trace.header.notes
    )
    np.testing.assert_allclose(trace.values("h"), h, atol=1e-5)
    np.testing.assert_allclose(trace.values("y"), h, atol=1e-5)
    origin = trace.layers[0].states_from["forward"]
    assert (origin.kind, origin.changes) == ("zeros", ())
    # The gradient goes through the states that were handed on, as through one call of all timesteps.
    whole = recorded(tmp_path, branches(np.random.default_rng(1)), inputs)
    for name in ("dh", "dc", "dx", "df_pre"):
        np.testing.assert_allclose(trace.values(name), whole.values(name), atol=1e-6)
    assert np.abs(trace.values("dc")[0]).min() > 0


@pytest.mark.parametrize("chunk", [1, 2])
def test_a_state_that_is_never_handed_on_is_a_verdict(tmp_path: Path, chunk: int) -> None:
    trace = recorded(
        tmp_path,
        branches(np.random.default_rng(1)),
        "inputs = { is16 = true }\nstate = {}",
        f"chunk = {chunk}\n{STATE}",
    )
    (verdict,) = [v for v in lstmtui.diagnose(trace) if v.name == "state"]
    assert verdict.severity == "bad"
    assert f"reset before each of {T // chunk} calls" in verdict.text
    assert "begins from zeros" in verdict.text
    assert "the graph's input state is zero in every call" in trace.header.notes
    expected = np.concatenate([
        session(tmp_path).run(
            ["y"],
            {"x": X[t : t + chunk], "state": np.zeros((2, B, HIDDEN), np.float32), "is16": np.array(True)},
        )[0][:, 0]
        for t in range(0, T, chunk)
    ])  # fmt: skip
    np.testing.assert_allclose(trace.values("h"), expected, atol=1e-5)


def test_a_state_that_is_handed_on_changed_is_said(tmp_path: Path) -> None:
    model = branches(np.random.default_rng(1))
    (tail,) = [output for output in model.graph.output if output.name == "stateN"]
    tail.name = "halved"
    model.graph.initializer.extend(tensors(half=np.float32(0.5)))
    model.graph.node.append(helper.make_node("Mul", ["stateN", "half"], ["halved"]))
    keys = 'inputs = { is16 = true }\nstate = { state = "halved" }'
    trace = recorded(tmp_path, model, keys, "chunk = 1")
    origin = trace.layers[0].states_from["forward"]
    assert [(change.kind, change.count) for change in origin.changes] == [("changed", T - 1)]
    assert trace.absent() == (
        "the graph makes the state that it begins from of its h, and no gradient goes through that"
    )
    assert "dh" not in trace
    assert not trace.parameter_gradients


@pytest.mark.parametrize("seed", range(12))
def test_random_graphs_have_the_states_of_onnxruntime(tmp_path: Path, seed: int) -> None:
    trace = recorded(tmp_path, RandomGraph(seed).model(depth=2), 'output = "y"')
    y, _ = session(tmp_path).run(None, {"x": X})
    np.testing.assert_allclose(trace.values("y")[:T, :B], y, rtol=1e-5, atol=1e-5)
    assert trace.parity is not None
    assert trace.parity < 1e-5


def two_ways(direction: str, operator: str, **attributes: Any) -> onnx.ModelProto:
    """A node of another kind, with lengths that are an input of the graph, and something behind it."""
    directions = 2 if direction == "bidirectional" else 1
    initializers = weights(np.random.default_rng(3), "", operator, directions)
    node = helper.make_node(
        operator, ["x", "W", "R", "B", "lens"], ["y"], hidden_size=HIDDEN, direction=direction, **attributes
    )
    nodes = [node, helper.make_node("Tanh", ["y"], ["z"])]
    inputs = [value("x", ["T", "B", INPUT]), value("lens", ["B"], onnx.TensorProto.INT32)]
    return model_of(nodes, inputs, [value("z")], initializers)


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize(
    ("operator", "attributes"),
    [("GRU", {}), ("GRU", {"linear_before_reset": 1}), ("LSTM", {"input_forget": 1}), ("RNN", {})],
)
def test_kinds_directions_and_lengths(
    tmp_path: Path, direction: str, operator: str, attributes: dict[str, int]
) -> None:
    trace = recorded(tmp_path, two_ways(direction, operator, **attributes), "inputs = { lens = [6, 4] }")
    (z,) = session(tmp_path).run(None, {"x": X, "lens": np.array([6, 4], np.int32)})
    assert trace.parity is not None
    assert trace.parity < 1e-6
    assert trace.lengths.tolist() == [6, 4]
    h = trace.values("h")
    if direction == "reverse":
        h = np.concatenate([h[::-1, :1], np.concatenate([h[3::-1, 1:], h[4:, 1:]])], axis=1)
        assert "time is turned round" in trace.header.notes
    np.testing.assert_allclose(np.tanh(h), z[:, 0], atol=1e-5)


def test_gradients_are_of_what_the_objective_says_of_h(tmp_path: Path) -> None:
    model = branches(np.random.default_rng(1))
    for at, first in (('"every"', 0), ("3", 3), ('"last"', T - 1)):
        more = f'[objective]\nloss = "sum"\nat = {at}'
        trace = recorded(tmp_path, model, f"inputs = {{ is16 = true }}\n{STATE}", "chunk = 2", more)
        module = nn.LSTM(INPUT, HIDDEN)
        module.load_state_dict({k.split(".")[-1]: torch.as_tensor(v) for k, v in trace.parameters.items()})
        last = T if at == '"every"' else first + 1
        expected = lstmtui.record(
            module, torch.as_tensor(X), loss=lambda out, a=first, b=last: out[0][a:b].sum()
        )
        for name in ("dc", "dh", "di"):
            np.testing.assert_allclose(trace.values(name), expected.values(name), atol=1e-5)
        assert trace.loss == pytest.approx(expected.loss, abs=1e-5)
        assert "no gradient goes through the rest of the graph" in trace.header.notes


def two_nodes(between: str, *, states: bool = False) -> onnx.ModelProto:
    """A node on another, an operator between them; the upper one may begin from what the lower ended with."""
    random = np.random.default_rng(8)
    upper = lstm("b_", "mid", *(["a_yh", "a_yc"] if states else []))
    nodes = [
        lstm("a_", "x"),
        helper.make_node("Squeeze", ["a_y", "axis1"], ["flat"]),
        helper.make_node(between, ["flat"], ["mid"]),
        upper,
        helper.make_node("Sigmoid", ["b_y"], ["y"]),
    ]
    wide = tensors(
        b_W=random.standard_normal((1, 4 * HIDDEN, HIDDEN)).astype(np.float32),
        b_R=random.standard_normal((1, 4 * HIDDEN, HIDDEN)).astype(np.float32),
        b_B=random.standard_normal((1, 8 * HIDDEN)).astype(np.float32),
    )
    initializers = [*weights(random, "a_"), *wide, *tensors(axis1=np.array([1]))]
    return model_of(nodes, [value("x", ["T", "B", INPUT])], [value("y")], initializers)


class TwoLayers(nn.Module):
    """The same in PyTorch."""

    def __init__(self, trace: Trace, states: bool) -> None:
        super().__init__()
        self.a, self.b, self.states = nn.LSTM(INPUT, HIDDEN), nn.LSTM(HIDDEN, HIDDEN), states
        for number, layer in enumerate((self.a, self.b)):
            own = {
                k.split(".")[-1]: torch.as_tensor(v)
                for k, v in trace.parameters.items()
                if f"s.{number}." in k
            }
            layer.load_state_dict(own)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h, left = self.a(x)
        out: torch.Tensor = self.b(h, left if self.states else None)[0]
        return out


@pytest.mark.parametrize("states", [False, True])
def test_the_gradient_goes_from_node_to_node_where_one_is_given_what_another_gave(
    tmp_path: Path, states: bool
) -> None:
    trace = recorded(tmp_path, two_nodes("Identity", states=states))
    assert [layer.path for layer in trace.layers] == ["a_lstm", "b_lstm"]
    expected = lstmtui.record(TwoLayers(trace, states), torch.as_tensor(X))
    for layer in (0, 1):
        for name in ("h", "dh", "dc", "df_pre", "dx"):
            np.testing.assert_allclose(
                trace.values(name, layer=layer), expected.values(name, layer=layer), atol=1e-5
            )
    assert trace.absent(0) == ""


def test_a_graph_of_several_nodes_is_not_run_again_for_its_own_reason(tmp_path: Path) -> None:
    trace = recorded(tmp_path, two_nodes("Relu"))
    with pytest.raises(
        UserError, match=r"model\.onnx runs 2 recurrent nodes, .* what its graph does between"
    ):
        rerun(trace, [Edit(1, trace.name, 0, "forward", 0, "f", None, 0.0, 1, 1)])


def test_derivatives_that_would_be_a_part_of_them_are_left_out(tmp_path: Path) -> None:
    trace = recorded(tmp_path, two_nodes("Relu"))
    assert trace.absent(0) == "the graph makes what b_lstm reads of its h, and no gradient goes through that"
    assert "dh" not in trace.quantities(0)
    assert trace.values("dh", layer=1).any()
    assert not any(".0." in name for name in trace.parameter_gradients)
    trace.save(tmp_path / "run")
    loaded = lstmtui.load(tmp_path / "run")
    assert isinstance(loaded, Trace)
    assert loaded.absent(0) == trace.absent(0)


def test_a_batch_first_graph_gets_the_sequences_first(tmp_path: Path) -> None:
    """As PyTorch exports one, with a transposition before the node."""
    nodes = [
        helper.make_node("Transpose", ["x"], ["xt"], perm=[1, 0, 2]),
        lstm("", "xt"),
        helper.make_node("ReduceMax", ["y"], ["m"], axes=[1, 3], keepdims=0),
        helper.make_node("Transpose", ["m"], ["p"], perm=[1, 0]),
    ]
    model = model_of(nodes, [value("x", ["a", "b", INPUT])], [value("p")], weights(np.random.default_rng(4)))
    trace = recorded(tmp_path, model)
    (p,) = session(tmp_path).run(None, {"x": X.transpose(1, 0, 2)})
    assert (trace.steps, trace.batch) == (T, B)
    np.testing.assert_allclose(trace.values("y")[..., 0], p.T, atol=1e-6)


def test_names_from_the_file_are_made_safe(tmp_path: Path) -> None:
    model = branches(np.random.default_rng(1))
    model.graph.node[0].name = "ra\x1b[31mte"
    trace = recorded(tmp_path, model, "inputs = { is16 = true }")
    assert trace.layers[0].path == "ra␛[31mte/then/k16_lstm"
    assert "\x1b" not in str(trace) + trace.header.notes


def test_a_graph_that_runs_no_recurrent_node_is_a_sentence(tmp_path: Path) -> None:
    graphs = [
        helper.make_graph([lstm("", "x")], "t", [], [value("y")], weights(np.random.default_rng(5))),
        helper.make_graph([helper.make_node("Unsqueeze", ["x", "axis1"], ["z"])], "e", [], [value("z")]),
    ]
    node = helper.make_node("If", ["c"], ["o"], name="if", then_branch=graphs[0], else_branch=graphs[1])
    inputs = [value("x", ["T", "B", INPUT]), value("c", [], onnx.TensorProto.BOOL)]
    model = model_of([node], inputs, [value("o")], tensors(axis1=np.array([1])))
    with pytest.raises(UserError, match="no recurrent node was reached, as its conditions say"):
        recorded(tmp_path, model, "inputs = { c = false }")


def test_a_recorded_graph_is_saved_and_changed_as_any_run(tmp_path: Path) -> None:
    """A what-if runs the cell again on what the graph gave it, over all calls."""
    keys = f"inputs = {{ is16 = true }}\n{STATE}"
    trace = recorded(tmp_path, branches(np.random.default_rng(1)), keys, "chunk = 2")
    trace.save(tmp_path / "run")
    loaded = lstmtui.load(tmp_path / "run")
    assert isinstance(loaded, Trace)
    np.testing.assert_array_equal(loaded.values("y"), trace.values("y"))
    changed = rerun(loaded, [Edit(1, trace.name, 0, "forward", 0, "f", None, 0.0, 3, 3)])
    np.testing.assert_array_equal(changed.values("c")[:3], trace.values("c")[:3])
    written = trace.values("i")[3, 0] * trace.values("g")[3, 0]
    np.testing.assert_allclose(changed.values("c")[3, 0], written, atol=1e-6)
    assert np.abs(changed.values("h")[4:, 0] - trace.values("h")[4:, 0]).max() > 1e-3
    np.testing.assert_array_equal(changed.values("h")[:, 1], trace.values("h")[:, 1])

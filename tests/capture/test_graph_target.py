"""A target for y of an ONNX graph: the gradient goes through all of it, or what it does not is named."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from models.onnx_graphs import (
    BOOL,
    HIDDEN,
    INPUT,
    INT64,
    branches,
    lstm,
    model_of,
    tensors,
    value,
    weights,
)  # fmt: skip
from models.random_graphs import RandomGraph
from onnx import helper
from torch import Tensor, nn
from torch.nn import functional

import lstmtui
from lstmtui.errors import UserError
from lstmtui.models.onnx.file import onnx_file
from lstmtui.models.onnx.graph_process import answered
from lstmtui.models.onnx.graph_request import read_answer, write_answer
from lstmtui.trace import Trace

T, B, OUT = 6, 2, 3
X = np.random.default_rng(7).standard_normal((T, B, INPUT)).astype(np.float32)
TARGET = np.random.default_rng(8).random((T, B, OUT))
IDS = np.random.default_rng(9).integers(0, OUT, (T, B))


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in test_run_graph.py; the answer travels, as a tape must do too."""
    monkeypatch.setattr("lstmtui.models.onnx.process.read_onnx_file", onnx_file)

    def run(path: Path, request: Any, seconds: float | None) -> Any:
        content = BytesIO()
        write_answer(content, answered(path, request))
        return read_answer(content.getvalue())

    monkeypatch.setattr("lstmtui.capture.graph.run_graph.run_graph", run)


def recorded(
    folder: Path, model: bytes, target: np.ndarray, loss: str = "mse", at: str = "every", keys: str = "",
    input_keys: str = "",
) -> Trace:  # fmt: skip
    (folder / "model.onnx").write_bytes(model)
    np.save(folder / "x.npy", X)
    np.save(folder / "target.npy", target)
    (folder / "a.toml").write_text(
        f'[input]\nfile = "x.npy"\n{input_keys}\n[objective]\nloss = "{loss}"\nat = "{at}"\n'
        f'target = {{ file = "target.npy" }}\n[[model]]\nonnx = "model.onnx"\n{keys}\n[run]\ndevice = "cpu"\n'
    )
    (trace,) = lstmtui.run(folder / "a.toml").values()
    return trace


class Tagger(nn.Module):
    """Something behind a recurrent module, which begins from states of another where `depth` says so."""

    def __init__(self, rnn: nn.RNNBase, end: Callable[[Tensor], Tensor], *, last: bool = False) -> None:
        super().__init__()
        self.rnn, self.end, self.last = rnn, end, last
        self.fc = nn.Linear(rnn.hidden_size * (2 if rnn.bidirectional else 1), OUT)
        self.norm = nn.LayerNorm(rnn.hidden_size * (2 if rnn.bidirectional else 1))

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm(self.rnn(x)[0])
        return self.end(self.fc(h[:, -1] if self.last else h))


class EncoderDecoder(nn.Module):
    """The decoder begins from what is made of the encoder's last states, and is added to what it reads."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.GRU(INPUT, 4, bidirectional=True), nn.LSTM(INPUT, 5)
        self.between, self.cell, self.fc = nn.Linear(8, 5), nn.Linear(8, 5), nn.Linear(5, OUT)

    def forward(self, x: Tensor) -> Tensor:
        _, h = self.encoder(x)
        both = torch.cat([h[0], h[1]], -1)
        states = torch.tanh(self.between(both))[None], self.cell(both)[None]
        return x + self.fc(torch.relu(self.decoder(x, states)[0]))


def mean_probability(logits: Tensor) -> Tensor:
    """As exported detectors have it: a mean over an axis of one frame."""
    return torch.sigmoid(logits)[:, None].mean(1)


def mean_squares(y: Tensor) -> Tensor:
    return functional.mse_loss(y, torch.as_tensor(TARGET).to(y))


def last_of_probabilities(y: Tensor) -> Tensor:
    return functional.binary_cross_entropy(y, torch.as_tensor(TARGET[0]).to(y))


def of_classes(y: Tensor) -> Tensor:
    return functional.cross_entropy(y.reshape(-1, OUT), torch.as_tensor(IDS).reshape(-1))


def of_probable_classes(y: Tensor) -> Tensor:
    return functional.nll_loss(y.log().reshape(-1, OUT), torch.as_tensor(IDS).reshape(-1))


CASES: dict[str, tuple[nn.Module, Any, str, str, Callable[[Tensor], Tensor]]] = {
    "two layers, two directions": (
        Tagger(nn.LSTM(INPUT, 4, 2, bidirectional=True), torch.tanh), TARGET, "mse", "every", mean_squares,
    ),
    "last timestep, a probability": (
        Tagger(nn.GRU(INPUT, 4, batch_first=True), mean_probability, last=True),
        TARGET[0], "bce", "last", last_of_probabilities,
    ),
    "logits": (Tagger(nn.RNN(INPUT, 4), nn.Identity()), IDS, "cross_entropy", "every", of_classes),
    "probabilities": (
        Tagger(nn.GRU(INPUT, 4), lambda y: y.softmax(-1)), IDS, "cross_entropy", "every", of_probable_classes,
    ),
    "from node to node": (EncoderDecoder(), TARGET, "mse", "every", mean_squares),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
@pytest.mark.filterwarnings("ignore")
def test_derivatives_are_those_of_the_exported_module(tmp_path: Path, case: str) -> None:
    module, target, loss, at, own_loss = CASES[case]
    is_batch_first = getattr(getattr(module, "rnn", None), "batch_first", False)
    x = torch.as_tensor(X.swapaxes(0, 1) if is_batch_first else X)
    content = BytesIO()
    torch.onnx.export(module.eval(), (x,), content, dynamo=False, opset_version=17)
    trace = recorded(tmp_path, content.getvalue(), target, loss, at)
    expected = lstmtui.record(module, x, loss=own_loss)
    assert trace.loss == pytest.approx(expected.loss, rel=1e-5)
    assert "torch runs again what the graph runs" in trace.header.notes
    for n, layer in enumerate(trace.layers):
        assert trace.absent(n) == ""
        for direction in layer.directions:
            for name in ("dh", "dx", *(["dc"] if "c" in layer.layout.cell.states else [])):
                theirs = expected.values(name, layer=n, direction=direction)
                assert np.abs(theirs).max() > 1e-5
                ours = trace.values(name, layer=n, direction=direction)
                np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("chunk", [1, 2, 4])
def test_the_gradient_goes_back_through_the_calls(tmp_path: Path, chunk: int) -> None:
    model, target = branches(np.random.default_rng(1)), np.random.default_rng(2).random((T, B, HIDDEN))
    keys = 'inputs = { is16 = true }\nstate = { state = "stateN" }'
    content = model.SerializeToString()
    trace = recorded(tmp_path, content, target, keys=keys, input_keys=f"chunk = {chunk}")
    whole = recorded(tmp_path, content, target, keys="inputs = { is16 = true }")
    assert trace.loss == pytest.approx(whole.loss, rel=1e-5)
    for name in ("dh", "dc", "dx"):
        np.testing.assert_allclose(trace.values(name)[:T], whole.values(name), atol=1e-7)
    expected = 2 / target.size * (whole.values("h")[-1] - target[-1])
    np.testing.assert_allclose(whole.values("dh")[-1], expected, atol=1e-7)


@pytest.mark.parametrize("chunk", [2, 4])
def test_a_value_for_each_call_is_compared_with_the_target_of_its_last_timestep(
    tmp_path: Path, chunk: int
) -> None:
    """Here each call is one timestep of the node, as in a detector that hears some samples at a time."""
    random = np.random.default_rng(6)
    nodes = [
        helper.make_node("ReduceSum", ["x", "axis0"], ["heard"]),
        lstm("", "heard", "h", "c"),
        helper.make_node("MatMul", ["y", "out"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["p"]),
    ]
    out = random.standard_normal((HIDDEN, OUT)).astype(np.float32)
    initializers = [*weights(random), *tensors(axis0=np.array([0]), out=out)]
    states = [value(name, [1, "B", HIDDEN]) for name in "hc"]
    outputs = [value(name) for name in ("p", "yh", "yc")]
    model = model_of(nodes, [value("x", [chunk, "B", INPUT]), *states], outputs, initializers)
    target, keys = random.integers(0, 2, (T, B, OUT)), 'state = { h = "yh", c = "yc" }'
    trace = recorded(
        tmp_path, model.SerializeToString(), target, "bce", keys=keys, input_keys=f"chunk = {chunk}"
    )
    module = nn.LSTM(INPUT, HIDDEN)
    module.load_state_dict({k.split(".")[-1]: torch.as_tensor(v) for k, v in trace.parameters.items()})
    calls = [torch.as_tensor(X[at : at + chunk]).sum(0) for at in range(0, T, chunk)]
    ends = [min(at + chunk, T) - 1 for at in range(0, T, chunk)]
    own = torch.as_tensor(target[ends]).float()
    expected = lstmtui.record(
        module,
        torch.stack(calls),
        loss=lambda result: functional.binary_cross_entropy_with_logits(
            result[0] @ torch.as_tensor(out), own
        ),
    )
    assert trace.loss == pytest.approx(expected.loss, rel=1e-5)
    for name in ("dh", "dc", "dx"):
        np.testing.assert_allclose(trace.values(name), expected.values(name), atol=1e-7)


def rounds(count: int, *, stacked: bool) -> onnx.ModelProto:
    """A node in a loop, whose x is made of its h in the round before; the rounds' may be y, one by one."""
    random = np.random.default_rng(3)
    nodes = [
        lstm("", "x_in"),
        helper.make_node("Squeeze", ["y", "axis1"], ["flat"]),
        helper.make_node("MatMul", ["flat", "out"], ["mixed"]),
        helper.make_node("Relu", ["mixed"], ["x_out"]),
        helper.make_node("Identity", ["going"], ["go"]),
        helper.make_node("Identity", ["x_out"], ["each"]),
    ]
    inputs = [value("i", [], INT64), value("going", [], BOOL), value("x_in")]
    body = helper.make_graph(nodes, "body", inputs, [value("go", [], BOOL), value("x_out"), value("each")])
    loop = helper.make_node("Loop", ["count", "", "x"], ["last", "all"], name="loop", body=body)
    end = helper.make_node("ReduceSum", ["all", "axis0"], ["z"], keepdims=0) if stacked else None
    out = helper.make_node("Tanh", ["z" if stacked else "last"], ["end"])
    initializers = [*weights(random), *tensors(
        count=np.array(count), axis0=np.array([0]), axis1=np.array([1]),
        out=random.standard_normal((HIDDEN, INPUT)).astype(np.float32),
    )]  # fmt: skip
    nodes = [node for node in (loop, end, out) if node is not None]
    return model_of(nodes, [value("x", ["T", "B", INPUT])], [value("end")], initializers)


@pytest.mark.parametrize("stacked", [False, True])
def test_the_gradient_goes_back_through_the_rounds_of_a_loop(tmp_path: Path, stacked: bool) -> None:
    model = rounds(3, stacked=stacked)
    trace = recorded(tmp_path, model.SerializeToString(), TARGET)
    module = nn.LSTM(INPUT, HIDDEN)
    module.load_state_dict({k.split(".")[-1]: torch.as_tensor(v) for k, v in trace.parameters.items()})
    out = onnx.numpy_helper.to_array(next(t for t in model.graph.initializer if t.name == "out"))
    each = [torch.as_tensor(X)]
    for _ in range(3):
        each.append(torch.relu(module(each[-1])[0] @ torch.as_tensor(out)))
    loss = mean_squares(torch.tanh(torch.stack(each[1:]).sum(0) if stacked else each[-1]))
    loss.backward()
    assert trace.loss == pytest.approx(loss.item(), rel=1e-5)
    for name, parameter in module.named_parameters():
        (ours,) = [v for key, v in trace.parameter_gradients.items() if key.endswith(name)]
        np.testing.assert_allclose(ours, parameter.grad, rtol=1e-4, atol=1e-7)


def test_the_gradient_goes_through_branches_and_functions(tmp_path: Path) -> None:
    """Those that hold no recurrent node too."""
    random = np.random.default_rng(10)
    graphs = [
        helper.make_graph([helper.make_node(operator, ["flat"], [operator])], operator, [], [value(operator)])
        for operator in ("Tanh", "Relu")
    ]
    function = helper.make_function(
        "own", "Twice", ["a"], ["b"], [helper.make_node("Add", ["a", "a"], ["b"])],
        [helper.make_opsetid("", 17)],
    )  # fmt: skip
    nodes = [
        lstm("a_", "x"),
        helper.make_node("Squeeze", ["a_y", "axis1"], ["flat"]),
        helper.make_node("ReduceMax", ["flat"], ["most"], keepdims=0),
        helper.make_node("Greater", ["most", "two"], ["c"]),
        helper.make_node("If", ["c"], ["z"], then_branch=graphs[0], else_branch=graphs[1]),
        helper.make_node("Twice", ["z"], ["y"], domain="own"),
    ]
    initializers = [*weights(random, "a_"), *tensors(axis1=np.array([1]), two=np.float32(2))]
    inputs = [value("x", ["T", "B", INPUT])]
    model = model_of(nodes, inputs, [value("y")], initializers, [function])
    target = random.random((T, B, HIDDEN))
    trace = recorded(tmp_path, model.SerializeToString(), target)
    h = trace.values("h")
    np.testing.assert_allclose(trace.values("y"), 2 * np.maximum(h, 0), atol=1e-6)
    expected = 2 * (2 * h[-1] - target[-1]) / target.size * 2 * (h[-1] > 0)
    np.testing.assert_allclose(trace.values("dh")[-1], expected, atol=1e-7)


@pytest.mark.parametrize("seed", [1, 2, 5, 9])
def test_derivatives_in_random_graphs_are_those_of_finite_differences(tmp_path: Path, seed: int) -> None:
    """By the size of each matrix R, which several nodes may have, in branches, loops, scans and functions."""
    model = RandomGraph(seed).model(depth=2)
    trace = recorded(tmp_path, model.SerializeToString(), np.zeros_like(X), keys='output = "y"')
    matrices = [tensor for tensor in model.graph.initializer if tensor.name.endswith("R")]
    own = {key: float((trace.parameter_gradients[key] * value).sum(dtype=np.float64))
           for key, value in trace.parameters.items() if "weight_hh" in key}  # fmt: skip
    compared = 0
    for tensor in matrices:
        array = onnx.numpy_helper.to_array(tensor)
        numbers = [np.sort(part, axis=None) for part in array]
        keys = [
            k for k in own if any(np.array_equal(np.sort(trace.parameters[k], axis=None), n) for n in numbers)
        ]
        if not keys:
            continue  # Its node has not run.
        losses = []
        for factor in (1.01, 0.99):
            tensor.CopyFrom(onnx.numpy_helper.from_array(array * np.float32(factor), tensor.name))
            run = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
            losses.append(float((run.run(["y"], {"x": X})[0].astype(np.float64) ** 2).mean()))
        tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
        slope = (losses[0] - losses[1]) / 0.02
        assert sum(own[key] for key in keys) == pytest.approx(slope, rel=0.02, abs=1e-5)
        compared += 1
    assert compared


def behind(node: tuple[str, list[str], dict[str, Any]]) -> bytes:
    """An LSTM with a node behind it."""
    operator, inputs, attributes = node
    nodes = [
        lstm("a_", "x"),
        helper.make_node("Squeeze", ["a_y", "axis1"], ["flat"]),
        helper.make_node(operator, inputs, ["y"], **attributes),
    ]
    initializers = [
        *weights(np.random.default_rng(4), "a_"),
        *tensors(axis1=np.array([1])),
    ]
    model = model_of(nodes, [value("x", ["T", "B", INPUT])], [value("y")], initializers)
    return model.SerializeToString()


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (behind(("CumSum", ["flat", "axis1"], {})), "goes through CumSum, which the graph runs behind"),
        (behind(("Tanh", ["flat"], {})), "y has 4 values and the target 3"),
        (behind(("Tanh", ["x"], {})), "output y, which does not depend on a recurrent node"),
        (behind(("ReduceMean", ["a_y"], {"keepdims": 0})), "has no value for each timestep"),
        (behind(("ArgMax", ["flat"], {"axis": 1})), "output y, which does not depend on a recurrent node"),
    ],
)
def test_what_no_gradient_goes_through_is_named(tmp_path: Path, model: bytes, said: str) -> None:
    with pytest.raises(UserError, match=said):
        recorded(tmp_path, model, TARGET)


def test_more_numbers_than_are_kept_for_the_gradient_are_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, target = behind(("Tanh", ["flat"], {})), np.zeros((T, B, HIDDEN))
    most = "lstmtui.capture.graph.rest_of_graph.MOST_NUMBERS"
    monkeypatch.setattr(most, 2 * target.size)
    assert recorded(tmp_path, model, target).loss > 0
    monkeypatch.setattr(most, 2 * target.size - 1)
    with pytest.raises(UserError, match="has more than 95 numbers, all of which the gradient needs"):
        recorded(tmp_path, model, target)


def test_a_node_that_is_not_recorded_is_in_the_way(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    nodes = [lstm("a_", "x"), lstm("b_", "x"), helper.make_node("Add", ["a_y", "b_y"], ["y"])]
    initializers = [*weights(random, "a_"), *weights(random, "b_")]
    model = model_of(nodes, [value("x", ["T", "B", INPUT])], [value("y")], initializers)
    target = np.zeros((T, B, HIDDEN))
    with pytest.raises(UserError, match="goes through LSTM b_lstm, which is not recorded, which the graph"):
        recorded(tmp_path, model.SerializeToString(), target, keys='module = "a_lstm"\nsession = {}')

"""ONNX nodes as our cells: the numbers of onnxruntime for all that we take, a sentence for the rest."""

from __future__ import annotations

import itertools
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

import lstmtui
from lstmtui.errors import UserError
from lstmtui.models.onnx.file import onnx_file

STEPS, BATCH, INPUT, HIDDEN = 6, 2, 3, 4
ROWS = {"LSTM": 4, "GRU": 3, "RNN": 1}
rng = np.random.default_rng(3)


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Starting another for each model would take most of the time; test_onnx_process.py does that."""
    monkeypatch.setattr("lstmtui.models.onnx.process.read_onnx_file", onnx_file)


def noise(*shape: int) -> np.ndarray:
    return rng.standard_normal(shape).astype(np.float32)


def random_constants(operator: str, directions: int, names: str) -> dict[str, np.ndarray]:
    """Random inputs of a node, by the letters W R B P h c."""
    rows = ROWS[operator] * HIDDEN
    shapes = {
        "W": (directions, rows, INPUT),
        "R": (directions, rows, HIDDEN),
        "B": (directions, 2 * rows),
        "P": (directions, 3 * HIDDEN),
        "h": (directions, BATCH, HIDDEN),
        "c": (directions, BATCH, HIDDEN),
    }
    return {name: noise(*shapes[name]) for name in names}


def make_model(operator: str, constants: dict[str, np.ndarray], **attributes: Any) -> onnx.ModelProto:
    """A model of one node, X its only input."""
    order = "WRBLhcP" if operator == "LSTM" else "WRBLh"
    inputs = ["X", *(name if name in constants else "" for name in order)]
    sized = {"hidden_size": HIDDEN} | attributes
    node = helper.make_node(operator, inputs, ["Y"], name="cell", **sized)
    return wrap([node], constants)


def wrap(nodes: list[Any], constants: dict[str, np.ndarray], outputs: tuple[str, ...] = ("Y",)) -> Any:
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, None)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)])
    model.ir_version = 8
    return model


def judge(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    """onnxruntime's Y, (T, B, directions · H)."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (y,) = session.run(None, {"X": x})
    return np.asarray(y).swapaxes(1, 2).reshape(STEPS, BATCH, -1)


def ours(
    folder: Path, model: onnx.ModelProto, x: np.ndarray, lengths: tuple[int, ...] = (), keys: str = ""
) -> np.ndarray:
    """h of every direction of the last layer, as a scenario records it, (T, B, directions · H)."""
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    kept = [x[: lengths[b] if lengths else None, b].tolist() for b in range(x.shape[1])]
    text = f'[input]\nvalues = {kept}\n[[model]]\nonnx = "model.onnx"\n{keys}\n[run]\ndevice = "cpu"\n'
    (folder / "a.toml").write_text(text)
    (trace,) = lstmtui.run(folder / "a.toml").values()
    last = len(trace.layers) - 1
    parts = [trace.values("h", layer=last, direction=d) for d in trace.layers[last].directions]
    return np.concatenate(parts, axis=2)


CASES = [
    *itertools.product(["LSTM"], [{}, {"input_forget": 1}], ["", "B", "Bhc"]),
    *itertools.product(["LSTM"], [{}], ["P", "BPhc"]),
    *itertools.product(["GRU"], [{}, {"linear_before_reset": 1}], ["", "B", "Bh"]),
    *itertools.product(["RNN"], [{}, {"activations": ["Relu"]}, {"activations": ["Tanh"]}], ["", "Bh"]),
]


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize(("operator", "attributes", "inputs"), CASES)
def test_every_supported_attribute_gives_the_numbers_of_onnxruntime(
    tmp_path: Path, operator: str, attributes: dict[str, Any], inputs: str, direction: str
) -> None:
    directions = 2 if direction == "bidirectional" else 1
    given = {k: v * directions if k == "activations" else v for k, v in attributes.items()}
    model = make_model(
        operator, random_constants(operator, directions, "WR" + inputs), direction=direction, **given
    )
    x = noise(STEPS, BATCH, INPUT)
    found = ours(tmp_path, model, x)
    expected = judge(model, x)
    if direction == "reverse":
        found = found[::-1]
    np.testing.assert_allclose(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("operator", ["LSTM", "GRU", "RNN"])
def test_constant_sequence_lens_are_those_of_the_input(tmp_path: Path, operator: str, direction: str) -> None:
    constants = random_constants(operator, 2 if direction == "bidirectional" else 1, "WRB")
    lengths = (STEPS, 4)
    model = make_model(operator, constants | {"L": np.array(lengths, np.int32)}, direction=direction)
    x = noise(STEPS, BATCH, INPUT)
    found, expected = ours(tmp_path, model, x, lengths), judge(model, x)
    for b, length in enumerate(lengths):
        kept = found[:length, b][::-1] if direction == "reverse" else found[:length, b]
        np.testing.assert_allclose(kept, expected[:length, b], atol=1e-5, rtol=1e-5)
    with pytest.raises(UserError, match="sequence_lens is 6, 4 for ever, the input has 2 sequences of 6, 6"):
        ours(tmp_path, model, x)


def test_a_constant_initial_state_is_for_the_sequences_it_was_exported_with(tmp_path: Path) -> None:
    constants = random_constants("GRU", 1, "WRB") | {"h": np.full((1, 1, HIDDEN), 0.5, np.float32)}
    model = make_model("GRU", constants)
    with pytest.raises(UserError, match="initial_h is for 1 sequence for ever, the input has 2 sequences"):
        ours(tmp_path, model, noise(STEPS, BATCH, INPUT))


def test_nodes_whose_constant_states_are_for_other_numbers_of_sequences_are_no_stack(tmp_path: Path) -> None:
    constants = {"W": noise(1, HIDDEN, HIDDEN), "R": noise(1, HIDDEN, HIDDEN), "axis": np.array([1])}
    constants |= {"two": noise(1, 2, HIDDEN), "three": noise(1, 3, HIDDEN)}
    nodes = [
        helper.make_node("RNN", ["X", "W", "R", "", "", "two"], ["a"], name="a", hidden_size=HIDDEN),
        helper.make_node("Squeeze", ["a", "axis"], ["x"]),
        helper.make_node("RNN", ["x", "W", "R", "", "", "three"], ["Y"], name="b", hidden_size=HIDDEN),
    ]
    (tmp_path / "model.onnx").write_bytes(wrap(nodes, constants).SerializeToString())
    layers = onnx_file(tmp_path / "model.onnx").layers
    assert [(layer.path, set(layer.nodes[0].batches)) for layer in layers] == [("a", {2}), ("b", {3})]


@pytest.mark.parametrize("operator", ["LSTM", "GRU", "RNN"])
def test_layout_1_has_the_states_of_each_sequence_first(tmp_path: Path, operator: str) -> None:
    constants = random_constants(operator, 2, "WRBhc" if operator == "LSTM" else "WRBh")
    x = noise(STEPS, BATCH, INPUT)
    expected = judge(make_model(operator, constants, direction="bidirectional"), x)
    swapped = {k: v.swapaxes(0, 1) if k in "hc" else v for k, v in constants.items()}
    model = make_model(operator, swapped, direction="bidirectional", layout=1)
    np.testing.assert_allclose(ours(tmp_path, model, x), expected, atol=1e-5, rtol=1e-5)


class Tagger(nn.Module):
    """A recurrent module whose output is all that is exported."""

    def __init__(self, rnn: nn.RNNBase) -> None:
        super().__init__()
        self.rnn = rnn

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.rnn(x)[0]


@pytest.mark.parametrize("folded", [True, False])
@pytest.mark.parametrize(
    "rnn",
    [
        nn.LSTM(INPUT, HIDDEN, 2, bidirectional=True),
        nn.GRU(INPUT, HIDDEN, 3, bias=False),
        nn.RNN(INPUT, HIDDEN, 2, nonlinearity="relu", bidirectional=True),
    ],
    ids=["lstm", "gru", "rnn"],
)
@pytest.mark.filterwarnings("ignore")
def test_stacks_that_pytorch_exports_run_as_one_module(tmp_path: Path, rnn: nn.RNNBase, folded: bool) -> None:
    x = noise(STEPS, BATCH, INPUT)
    path = tmp_path / "exported.onnx"
    with torch.no_grad():
        torch.onnx.export(
            Tagger(rnn).eval(),
            (torch.as_tensor(x),),
            str(path),
            dynamo=False,
            do_constant_folding=folded,
            opset_version=17,
            input_names=["X"],
            dynamic_axes={"X": {0: "time", 1: "batch"}},
        )
        expected = rnn(torch.as_tensor(x))[0].numpy()
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(session.run(None, {"X": x})[0], expected, atol=1e-5)
    np.testing.assert_allclose(ours(tmp_path, onnx.load(path), x), expected, atol=1e-5, rtol=1e-5)


def layer_of(folder: Path, model: onnx.ModelProto) -> Any:
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    (layer,) = onnx_file(folder / "model.onnx").layers
    return layer


@pytest.mark.parametrize(
    ("operator", "attributes", "inputs", "said"),
    [
        ("LSTM", {"clip": 3.0}, "", "its attribute clip, which cuts off what goes into each gate at"),
        ("LSTM", {"activation_alpha": [1.0]}, "", "its attribute activation_alpha, which scales its"),
        ("GRU", {"input_forget": 1}, "", "its attribute input_forget is not supported"),
        ("LSTM", {"activations": ["Sigmoid", "Relu", "Tanh"]}, "", "its activations Sigmoid, Relu, Tanh"),
        ("GRU", {"activations": ["HardSigmoid", "Tanh"]}, "", "its activations HardSigmoid, Tanh"),
        ("RNN", {"activations": ["Affine"]}, "", "its activations Affine are not supported; allowed: Tanh"),
        ("LSTM", {"input_forget": 1}, "P", "input_forget together with peepholes P is not supported"),
        ("RNN", {"direction": "sideways"}, "", "direction sideways is none of forward, reverse"),
        ("RNN", {"layout": 2}, "", "layout 2 is neither 0 nor 1"),
        ("RNN", {"hidden_size": -4}, "", "hidden_size is -4, 1 or more is expected"),
    ],
)
def test_what_is_not_supported_is_named(
    tmp_path: Path, operator: str, attributes: dict[str, Any], inputs: str, said: str
) -> None:
    layer = layer_of(
        tmp_path, make_model(operator, random_constants(operator, 1, "WR" + inputs), **attributes)
    )
    assert layer.layout is None
    assert said in str(layer)


def test_directions_of_different_activations_are_not_supported(tmp_path: Path) -> None:
    constants = random_constants("RNN", 2, "WR")
    model = make_model("RNN", constants, direction="bidirectional", activations=["Tanh", "Relu"])
    assert "its activations Tanh, Relu are not supported" in str(layer_of(tmp_path, model))


@pytest.mark.parametrize(
    ("name", "shape", "said"),
    [
        ("W", (1, 12, 3), r"W has shape \(1, 12, 3\); for hidden_size 4 and 1 direction \(1, 16, 3\)"),
        ("R", (1, 16), r"R has shape \(1, 16\)"),
        ("B", (1, 16), r"B has shape \(1, 16\); for hidden_size 4 and 1 direction \(1, 32\)"),
        ("P", (1, 16), r"P has shape \(1, 16\); for hidden_size 4 and 1 direction \(1, 12\)"),
        ("h", (1, 2, 5), r"initial_h has shape \(1, 2, 5\); for its R \(1, batch, 4\) is expected"),
        ("c", (2, 1, 4), r"initial_c has shape \(2, 1, 4\); for its R"),
        ("h", (1, 0, 4), r"initial_h has shape \(1, 0, 4\)"),
        ("c", (4,), r"initial_c has shape \(4,\)"),
    ],
)
def test_wrong_shapes_are_said(tmp_path: Path, name: str, shape: tuple[int, ...], said: str) -> None:
    constants = random_constants("LSTM", 1, "WRBPhc") | {name: noise(*shape)}
    layer = layer_of(tmp_path, make_model("LSTM", constants))
    assert layer.layout is None
    assert re.search(said, layer.wrong)


def test_a_tensor_that_claims_more_numbers_than_it_has_is_refused(tmp_path: Path) -> None:
    model = make_model("LSTM", random_constants("LSTM", 1, "WR"))
    model.graph.initializer[0].dims[:] = [1, 1 << 40, 3]
    assert "claims the shape (1, 1099511627776, 3)" in str(layer_of(tmp_path, model))
    model.graph.initializer[0].dims[:] = [1, 1600, 3]
    assert "does not have the numbers its shape (1, 1600, 3) asks for" in str(layer_of(tmp_path, model))


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("../secret.bin", "outside the model's folder"),
        ("/etc/hostname", "outside the model's folder"),
        ("gone.bin", "which is not there"),
        ("short.bin", "which is too short for it"),
        ("w.bin", ""),
    ],
)
def test_external_data_is_read_from_the_models_folder_only(tmp_path: Path, location: str, said: str) -> None:
    constants = random_constants("GRU", 1, "WR")
    (tmp_path / "secret.bin").write_bytes(bytes(1000))
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "short.bin").write_bytes(bytes(10))
    (folder / "w.bin").write_bytes(b"12345678" + constants["W"].tobytes())
    model = make_model("GRU", constants)
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "8")):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    layer = layer_of(folder, model)
    if said:
        assert said in str(layer)
    else:
        z, r, n = np.split(constants["W"][0], 3)
        np.testing.assert_array_equal(layer.parameters()["weight_ih_l0"], np.concatenate([r, z, n]))


def test_initial_states_that_the_graph_works_out_must_be_given_to_a_node_by_itself(tmp_path: Path) -> None:
    constants = random_constants("GRU", 1, "WR") | {"shift": noise(1)}
    nodes = [
        helper.make_node("ReduceMean", ["X"], ["mean"], axes=[0], keepdims=1),
        helper.make_node("GRU", ["X", "W", "R", "", "", "mean"], ["Y"], name="cell", hidden_size=HIDDEN),
    ]
    model, x = wrap(nodes, constants), noise(STEPS, BATCH, INPUT)
    with pytest.raises(UserError, match=r"initial_h is worked out by other nodes.*say initial = \{ h0"):
        ours(tmp_path, model, x, keys='module = "cell"')


def test_files_that_are_no_models_are_refused(tmp_path: Path) -> None:
    data = make_model("LSTM", random_constants("LSTM", 1, "WR")).SerializeToString()
    for content in (data[: len(data) // 2], b"\x08" * 50, b"not a model", bytes(100)):
        (tmp_path / "model.onnx").write_bytes(content)
        with pytest.raises(UserError, match=r"model\.onnx is not a readable ONNX model"):
            onnx_file(tmp_path / "model.onnx")


def test_without_the_onnx_package_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    (tmp_path / "model.onnx").write_bytes(b"x")
    with pytest.raises(UserError, match=r"pip install 'lstmtui\[onnx\]'"):
        onnx_file(tmp_path / "model.onnx")


def test_operators_of_other_makers_are_named(tmp_path: Path) -> None:
    node = helper.make_node("DynamicQuantizeLSTM", ["X"], ["Y"], name="q", domain="com.microsoft")
    onnx.save(wrap([node], {}), tmp_path / "q.onnx")
    (layer,) = onnx_file(tmp_path / "q.onnx").layers
    assert layer.wrong.startswith("its weights are quantised (com.microsoft.DynamicQuantizeLSTM)")

"""The models of a scenario: sizes, weights from every source, initial states."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from lstmtui.cells import CELLS
from lstmtui.scenario import Problem

VALUES = "[input]\nvalues = [[[1], [2], [3]], [[5], [6], [7]]]\n"
TEXT = '[input]\ntext = "abc"\n'


def _model(**keys: object) -> str:
    keys = {"cell": '"lstm"', "hidden_size": 2} | keys
    return "\n[[model]]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items())


def test_several_models_keep_their_order_and_are_named_after_their_cells(load: Callable[..., Any]) -> None:
    models = load(VALUES, "".join(_model(cell=f'"{name}"') for name in CELLS)).models
    assert [model.name for model in models] == list(CELLS)
    assert [model.layout.cell for model in models] == list(CELLS.values())
    assert all((model.seed, model.parameters, dict(model.initial)) == (0, None, {}) for model in models)


def test_sizes_reach_the_layout(load: Callable[..., Any]) -> None:
    keys = {"num_layers": 3, "bidirectional": "true", "proj_size": 1, "bias": "false", "head": 5}
    spec = load(VALUES, _model(**keys, seed=7)).models[0]
    layout = spec.layout
    assert (layout.num_layers, layout.bidirectional, layout.proj_size, layout.bias) == (3, True, 1, False)
    assert (spec.head, spec.seed, spec.output_size, layout.input_size) == (5, 7, 5, 1)


def test_output_without_a_head_is_h_of_all_directions(load: Callable[..., Any]) -> None:
    assert load(VALUES, _model(bidirectional="true")).models[0].output_size == 4


def _arrays(dtype: type = np.float32) -> dict[str, np.ndarray]:
    shapes = {"embedding.weight": (3, 4), "weight_ih_l0": (6, 4), "weight_hh_l0": (6, 2), "bias_ih_l0": (6,)}
    shapes |= {"bias_hh_l0": (6,), "head.weight": (5, 2), "head.bias": (5,)}
    rng = np.random.default_rng(0)
    return {name: rng.standard_normal(shape).astype(dtype) for name, shape in shapes.items()}


GRU = {"cell": '"gru"', "embedding": 4, "head": 5, "weights": '"w.safetensors"'}


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_weights_are_read_with_embedding_and_head(
    load: Callable[..., Any], tmp_path: Path, dtype: type
) -> None:
    arrays = _arrays(dtype)
    save_file(arrays, tmp_path / "w.safetensors")
    spec = load(TEXT, _model(**GRU)).models[0]
    assert spec.seed is None
    assert set(spec.parameters) == set(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(spec.parameters[name], array)
        assert spec.parameters[name].dtype == (np.float64 if dtype == np.float64 else np.float32)


def test_every_misfit_of_the_weights_is_said(
    problems: Callable[..., tuple[Problem, ...]], tmp_path: Path
) -> None:
    arrays = _arrays()
    arrays["weight_hh_10"] = arrays.pop("weight_hh_l0")
    del arrays["head.bias"]
    arrays["bias_ih_l0"] = np.zeros(8, np.float32)
    arrays["bias_hh_l0"] = np.zeros(6, np.int32)
    save_file(arrays, tmp_path / "w.safetensors")
    said = [str(problem).split("weights: w.safetensors: ")[1] for problem in problems(TEXT, _model(**GRU))]
    assert sorted(said) == sorted(
        [
            "'weight_hh_10' is not a parameter of this model; did you mean \"weight_hh_l0\"?",
            "head.bias missing",
            "bias_ih_l0 has shape (8,), (6,) is expected; 4 blocks of rows fit lstm, lstm_peephole",
            "bias_hh_l0 is of dtype I32; allowed: F64, F32, F16, BF16",
        ]
    )


def test_inline_parameters_are_float64_and_may_hold_nan(load: Callable[..., Any]) -> None:
    inline = """
[model.parameters]
weight_ih_l0 = [[1], [2]]
weight_hh_l0 = [[nan, inf], [0, 0]]
bias_ih_l0 = [0, 0]
bias_hh_l0 = [0, 0]
head.weight = [[1, 2]]
"head.bias" = [3]
"""
    spec = load(VALUES, _model(cell='"rnn_tanh"', head=1) + inline).models[0]
    np.testing.assert_array_equal(spec.parameters["weight_hh_l0"], [[np.nan, np.inf], [0, 0]])
    np.testing.assert_array_equal(spec.parameters["head.weight"], [[1, 2]])
    assert spec.parameters["head.bias"].dtype == np.float64


@pytest.mark.parametrize(
    ("inline", "said"),
    [
        ("weight_ih_l0 = 'x'", "weight_ih_l0: must be a number, is 'x'"),
        ("weight_ih_l0 = [[1], [2, 3]]", "weight_ih_l0[1]: has 2 entries, the first has 1"),
        ("", "model[0].parameters: weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0 missing"),
    ],
)
def test_mistaken_inline_parameters(problem: Callable[..., str], inline: str, said: str) -> None:
    model = _model(cell='"rnn_tanh"') + "[model.parameters]\n" + inline
    assert problem(VALUES, model).endswith(said)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("[1, 2]", [[[1, 2], [1, 2]]] * 2),
        ("[[1, 2], [3, 4]]", [[[1, 2], [1, 2]], [[3, 4], [3, 4]]]),
        ("[[[1, 2]], [[3, 4]]]", [[[1, 2], [1, 2]], [[3, 4], [3, 4]]]),
        ("[[[1, 2], [5, 6]], [[3, 4], [7, 8]]]", [[[1, 2], [5, 6]], [[3, 4], [7, 8]]]),
    ],
)
def test_initial_state_is_spread_over_layers_and_sequences(
    load: Callable[..., Any], given: str, expected: Any
) -> None:
    spec = load(VALUES, _model(num_layers=2, initial=f"{{ h0 = {given} }}")).models[0]
    np.testing.assert_array_equal(spec.initial["h0"], expected)
    assert set(spec.initial) == {"h0"}


def test_initial_state_from_safetensors(
    load: Callable[..., Any], problem: Callable[..., str], tmp_path: Path
) -> None:
    states = {"h0": np.ones((1, 2, 1), np.float32), "c0": np.full((1, 2, 2), 2.0)}
    save_file(states, tmp_path / "s.safetensors")
    model = _model(proj_size=1, initial='"s.safetensors"')
    initial = load(VALUES, model).models[0].initial
    np.testing.assert_array_equal(initial["c0"], states["c0"])
    np.testing.assert_array_equal(initial["h0"], states["h0"])
    save_file({"hidden": np.ones(2)}, tmp_path / "s.safetensors")
    assert "model[0].initial: lstm has no state 'hidden'; allowed: h0, c0" in problem(VALUES, model)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("weights", '"best.pt"', "is 'best.pt'; weights are read from .safetensors files"),
        ("weights", '"none.safetensors"', "no such file: "),
        ("initial", "3", "is 3; allowed: a .safetensors file, or { h0 = …, c0 = … }"),
        ("initial", '"a.npy"', ".npy files are not read; allowed: .safetensors"),
        ("onnx", '"m.onnx"', "no such file: "),
        ("module", '"encoder.rnn"', "goes with checkpoint or onnx, which is not given"),
        ("arguments", "{}", "goes with factory, which is not given"),
        ("name", '"  "', "is blank"),
        ("name", '""', "string should have at least 1 character"),
        ("num_layers", "65", "must be 64 or less, is 65"),
        ("num_layers", "true", "must be a whole number, is true"),
        ("bias", "0", "must be true or false, is 0"),
        ("seed", "-1", "must be 0 or more, is -1"),
        ("seed", f"0x{'f' * 5000}", "is a number of 20000 bits"),
        ("head", "1979-05-27", "must be a whole number, is a date or time"),
    ],
)
def test_mistaken_keys_of_a_model(problem: Callable[..., str], key: str, value: str, said: str) -> None:
    text = problem(VALUES, _model(**{key: value}))
    assert f"model[0].{key}: " in text
    assert said in text


def test_too_many_models(problem: Callable[..., str]) -> None:
    models = "".join(_model(name=f'"{number}"') for number in range(65))
    assert "model[64]: there are 65 models; at most 64" in problem(VALUES, models)

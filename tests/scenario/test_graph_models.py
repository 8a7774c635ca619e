"""[[model]] with onnx = …: what goes into which input of the graph, and every mistake about it."""

from __future__ import annotations

import re
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
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
from onnx import helper

from lstmtui.models.onnx.file import onnx_file
from lstmtui.scenario import GraphSpec, ModelSpec, Scenario, load_scenario
from lstmtui.scenario.models.graph_axes import laid_out, order_of_axes
from lstmtui.scenario.other_files import why_no_scenario

VALUES = "[input]\nvalues = [[1, 2, 3], [4, 5, 6], [7, 8, 9]]\n"
MODEL = '[[model]]\nonnx = "model.onnx"\n'


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lstmtui.models.onnx.process.read_onnx_file", onnx_file)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    saved(tmp_path, branches(np.random.default_rng(1)))
    return tmp_path


def spec_of(scenario: Scenario) -> GraphSpec:
    (spec,) = scenario.models
    assert isinstance(spec, GraphSpec)
    return spec


def test_the_input_is_cut_into_calls(folder: Path, load: Callable[..., Scenario]) -> None:
    text = VALUES + "chunk = 2\ncontext = 1\n"
    keys = 'inputs = { is16 = true, state = 0.5 }\nstate = { state = "stateN" }\n'
    keys += 'session = { threads = 2, providers = ["CPUExecutionProvider"], seconds = 9 }'
    spec = spec_of(load(text, MODEL + keys))
    request = spec.request
    pieces = [piece["x"][:, 0].tolist() for piece in request.pieces]
    zero, one, two, three = [0, 0, 0], [1, 2, 3], [4, 5, 6], [7, 8, 9]
    assert pieces == [[zero, one, two], [two, three, zero]]
    assert all(piece["x"].dtype == np.float32 for piece in request.pieces)
    assert request.inputs["state"].shape == (2, 1, HIDDEN)
    assert (request.inputs["state"] == 0.5).all()
    assert request.inputs["is16"].dtype == np.bool_
    assert request.states == {"state": "stateN"}
    assert (request.threads, request.providers, spec.seconds) == (2, ("CPUExecutionProvider",), 9)
    assert spec.output == "y"
    assert spec.notes == ("the last of 2 calls is filled up with 1 zero",)


YES = "inputs = { is16 = true }\n"
MISTAKES = [
    ("", "onnx: the graph's input is16 () bool is not given; say inputs = { is16 = … }"),
    ("inputs = { is16 = 1 }", "inputs.is16: is 1; allowed: true or false"),
    ("inputs = { is16 = [true] }", "inputs.is16: is a list; allowed: true or false"),
    ("inputs = { is16 = true, sr = 8 }", "inputs.sr: the graph has no input 'sr'; allowed: x, state, is16"),
    ("inputs = { is16 = true, state = [1, 2] }", "inputs.state: has shape (2,); the graph takes state (2,"),
    ('inputs = { is16 = true, state = "s.npy" }', "inputs.state: no such file"),
    ("inputs = { is16 = true, state = {} }", "inputs.state: is a table; allowed: a number, true or false"),
    ("inputs = { is16 = true, x = 1.0 }", "onnx: the graph has no input left for numbers; it takes x (T, B"),
    (YES + 'state = { stat = "stateN" }', "state.stat: the graph has no input 'stat'; allowed: x, state"),
    (YES + 'state = { state = "state" }', "state.state: the graph has no output 'state'; allowed: y, stateN"),
    (YES + 'output = "z"', "output: the graph has no output 'z'; allowed: y, stateN"),
    (YES + 'module = "lstm"', "module: the graph has no recurrent node 'lstm'; allowed: rate/"),
    (YES + "initial = { h0 = [1, 2, 3, 4] }", "initial: is for a node that runs by itself"),
    (YES + "session = { thread = 2 }", "session.thread: unknown key"),
    (YES + "batch_first = true\nsession = { seconds = 0 }", "session.seconds: must be 1 or more, is 0"),
]


def test_numbers_of_other_inputs_are_read_from_files(folder: Path, load: Callable[..., Scenario]) -> None:
    state = np.arange(2 * HIDDEN, dtype=np.float64).reshape(2, 1, HIDDEN)
    np.save(folder / "state.npy", state)
    spec = spec_of(load(VALUES, MODEL + 'inputs = { is16 = true, state = "state.npy" }'))
    np.testing.assert_array_equal(spec.request.inputs["state"], state)
    assert spec.request.inputs["state"].dtype == np.float32


@pytest.mark.parametrize(("keys", "said"), MISTAKES)
def test_mistakes_are_said(folder: Path, problem: Callable[..., str], keys: str, said: str) -> None:
    assert said in problem(VALUES, MODEL + keys)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("context = 3\n", "input.context: goes with chunk, which is not given"),
        ("chunk = 0\n", "input.chunk: must be 1 or more, is 0"),
        ('state = { s = "stateN" }\n', "input.state.s: the graph has no input 's'"),
    ],
)
def test_mistakes_of_the_stream_are_said(
    folder: Path, problem: Callable[..., str], more: str, said: str
) -> None:
    assert said in problem(VALUES + more, MODEL + YES)


def heard(folder: Path, shape: list[int | str], channels: int, rate: int) -> None:
    """A sound, and a graph for it."""
    with wave.open(str(folder / "a.wav"), "wb") as file:
        file.setparams((channels, 2, rate, 8, "NONE", ""))
        file.writeframes(bytes(16 * channels))
    nodes = [helper.make_node("Reshape", ["x", "shape"], ["r"]), lstm("", "r")]
    inputs = [value("x", shape), value("sr", [], INT64)]
    initializers = [*weights(np.random.default_rng(1)), *tensors(shape=np.array([-1, 1, INPUT]))]
    saved(folder, model_of(nodes, inputs, [value("y")], initializers))


@pytest.mark.parametrize(
    ("rate", "said", "note"),
    [
        (8_000, "16000", "the sound has 8,000 samples a second, and the graph is given sr = 16,000"),
        (8_000, "1", ""),
        (8_000, "8000", ""),
    ],
)
def test_how_fast_a_sound_is_is_said_where_the_graph_is_given_another_rate(
    tmp_path: Path, load: Callable[..., Scenario], rate: int, said: str, note: str
) -> None:
    heard(tmp_path, ["batch", "samples"], 1, rate)
    keys = f"inputs = {{ sr = {said} }}"
    notes = spec_of(load('[input]\nfile = "a.wav"\nchunk = 4\n', MODEL + keys)).notes
    assert notes == tuple(filter(None, [note]))


def test_a_sound_that_does_not_fit_is_told_what_would(tmp_path: Path, problem: Callable[..., str]) -> None:
    sound, keys = '[input]\nfile = "a.wav"\nchunk = 4\n', MODEL + "inputs = { sr = 1 }"
    heard(tmp_path, ["batch", "samples"], 2, 8_000)
    assert "2 channels) does not fit; say [input] columns = [0] for one channel" in problem(sound, keys)
    heard(tmp_path, [1, 12], 1, 8_000)
    assert "say [input] chunk = 12, or a chunk and a context that are 12 together" in problem(sound, keys)


def test_a_graph_for_so_many_timesteps_says_how_many(tmp_path: Path, problem: Callable[..., str]) -> None:
    for steps in (1, 2):
        saved(tmp_path, model_of([lstm("", "x")], [value("x", [steps, 1, INPUT])], [value("y")],
                                 weights(np.random.default_rng(1))))  # fmt: skip
        said = problem(VALUES, MODEL + "inputs = {}")
        assert f"does not fit; say [input] chunk = {steps}" in said


def test_a_graph_without_an_output_is_said(tmp_path: Path, problem: Callable[..., str]) -> None:
    model = model_of([lstm("", "x")], [value("x", ["T", "B", INPUT])], [], weights(np.random.default_rng(1)))
    saved(tmp_path, model)
    assert "the graph gives nothing; export it with an output" in problem(VALUES, MODEL + "inputs = {}")


def test_chunks_are_for_graphs(tmp_path: Path, problem: Callable[..., str]) -> None:
    assert "chunk: is for ONNX graphs, and no model is one" in problem(VALUES + "chunk = 2\n")


def test_sound_of_another_size_says_how_to_cut_it(tmp_path: Path, problem: Callable[..., str]) -> None:
    nodes = [
        helper.make_node("Reshape", ["sound", "shape"], ["x"]),
        lstm("", "x"),
    ]
    model = model_of(
        nodes, [value("sound", [1, 6])], [value("y")],
        [*weights(np.random.default_rng(2)), *tensors(shape=np.array([2, 1, INPUT]))],
    )  # fmt: skip
    saved(tmp_path, model)
    values = f"[input]\nvalues = {[[n / 10] for n in range(12)]}\n"
    assert "say [input] chunk = 6, or a chunk and a context that are 6 together" in problem(values, MODEL)


def test_what_is_nothing_but_a_node_runs_by_itself(tmp_path: Path, load: Callable[..., Scenario]) -> None:
    """As do nodes that are named; where there is more, the whole graph runs."""
    random = np.random.default_rng(2)
    x = value("x", ["T", "B", INPUT])
    saved(tmp_path, model_of([lstm("", "x")], [x], [value("y")], weights(random)))
    assert isinstance(load(VALUES, MODEL).models[0], ModelSpec)
    more = [lstm("", "x"), helper.make_node("Sigmoid", ["y"], ["p"])]
    saved(tmp_path, model_of(more, [x], [value("p")], weights(random)))
    assert isinstance(load(VALUES, MODEL).models[0], GraphSpec)
    assert isinstance(load(VALUES, MODEL + 'module = "lstm"').models[0], ModelSpec)


def test_a_node_in_a_branch_runs_by_itself_where_its_states_are_given(
    folder: Path, load: Callable[..., Scenario], problems: Callable[..., Any]
) -> None:
    states = "initial = { h0 = [1, 2, 3, 4], c0 = [0, 0, 0, 0] }"
    for module in ("k16_lstm", "rate/then/k16_lstm"):
        (spec,) = load(VALUES, MODEL + f'module = "{module}"\n{states}').models
        assert isinstance(spec, ModelSpec)
    said = "\n".join(map(str, problems(VALUES, MODEL + 'module = "k16_lstm"')))
    assert "say initial = { h0 = … }, or leave module out, and the whole graph is run" in said


def test_ids_go_into_an_input_of_whole_numbers(tmp_path: Path, load: Callable[..., Scenario]) -> None:
    nodes = [helper.make_node("Gather", ["table", "ids"], ["x"]), lstm("", "x")]
    table = tensors(table=np.ones((9, INPUT), np.float32))
    inputs = [value("ids", ["T", "B"], INT64), value("loud", [], BOOL)]
    model = model_of(nodes, inputs, [value("y")], [*weights(np.random.default_rng(2)), *table])
    saved(tmp_path, model)
    spec = spec_of(load("[input]\ntokens = [[1, 2], [3, 4]]\n", MODEL + "inputs = { loud = true }"))
    assert spec.request.pieces[0]["ids"].tolist() == [[1, 3], [2, 4]]


@pytest.mark.parametrize(
    ("shape", "sizes", "batch_first", "order"),
    [
        ((), (1, 1, 1), None, ""),
        (("a",), (7, 1, 1), None, "t"),
        (("a",), (7, 2, 1), None, ""),
        (("batch", "sequence"), (7, 2, 1), None, "bt"),
        (("sequence", "batch"), (7, 2, 1), None, "tb"),
        (("", ""), (7, 1, 1), None, "bt"),
        ((1, 512), (512, 1, 1), None, "bt"),
        (("n", 80), (7, 1, 80), None, "ti"),
        (("a", "b", "c"), (7, 2, 3), None, "tbi"),
        (("a", "b", "c"), (7, 2, 3), True, "bti"),
        (("batch", "time", 3), (7, 2, 3), None, "bti"),
        (("batch", 3, "time"), (7, 2, 3), None, "bit"),
        (("b", 1, "t"), (7, 2, 1), None, "bit"),
        (("b", 1, "t", 3), (7, 2, 3), None, "b1ti"),
        ((4, 2, 3), (7, 2, 3), None, ""),
        (None, (7, 2, 3), True, "bti"),
    ],
)
def test_axes(shape: Any, sizes: tuple[int, int, int], batch_first: bool | None, order: str) -> None:
    assert order_of_axes(shape, sizes, False, batch_first) == order
    if order:
        array = np.arange(np.prod(sizes)).reshape(sizes)
        expected = {"t": sizes[0], "b": sizes[1], "i": sizes[2], "1": 1}
        moved = laid_out(array, order)
        assert moved.shape == tuple(expected[letter] for letter in order)
        last = [{"t": 1, "b": -1, "i": -1, "1": 0}[letter] for letter in order]
        assert moved[tuple(last)] == array[1, -1, -1]


def test_the_lines_for_a_graph_without_a_scenario_are_said(folder: Path) -> None:
    said = why_no_scenario(folder / "model.onnx")
    assert "`input.values = [[0.1, 0.1, 0.1], [0.2, 0.2, 0.2]]` and `model = [{ " in said
    assert 'onnx = "model.onnx", inputs = { is16 = true }, state = { state = "stateN" } }]`' in said
    lines = re.findall(r"`((?:input|model)\..*?|model = .*?)`", said)
    (folder / "a.toml").write_text("\n".join(lines))
    assert isinstance(load_scenario(folder / "a.toml").models[0], GraphSpec)

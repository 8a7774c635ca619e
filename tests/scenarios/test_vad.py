"""The scenario vad: sound, graph and figures are those that its script makes."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

import lstmtui
from lstmtui.scenario import load_scenario
from lstmtui.trace import Traces

onnxruntime = pytest.importorskip("onnxruntime")
FOLDER = Path(__file__).parents[2] / "scenarios"


@pytest.fixture(scope="module")
def script() -> Iterator[ModuleType]:
    """The training script as a module."""
    spec = importlib.util.spec_from_file_location("vad_training", FOLDER / "train_vad.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def judged(graph: bytes, chunks: np.ndarray, *, is_carried: bool) -> np.ndarray:
    """onnxruntime's probability for each call, (T,), of chunks (T, CHUNK)."""
    session, zeros = onnxruntime.InferenceSession(graph), np.zeros((2, 1, 8), np.float32)
    state, said = zeros, []
    for chunk in chunks:
        speech, state = session.run(["speech", "stateN"], {"sound": chunk[None], "state": state})
        said.append(speech[0, 0])
        state = state if is_carried else zeros
    return np.array(said)


def test_the_exported_graph_gives_the_detectors_numbers(script: ModuleType) -> None:
    torch.manual_seed(1)
    detector = script.Detector()
    samples, _ = script.sound(5, 20)
    chunks = samples.reshape(20, script.CHUNK).astype(np.float32)
    with torch.no_grad():
        expected = detector(torch.as_tensor(chunks)[:, None]).sigmoid()[:, 0].numpy()
    graph = script.exported(detector).SerializeToString()
    np.testing.assert_allclose(judged(graph, chunks, is_carried=True), expected, atol=1e-6)


def test_a_few_steps_twice_give_the_same_bytes(script: ModuleType) -> None:
    first, again = (script.exported(script.trained(2)).SerializeToString() for _ in range(2))
    assert first == again
    assert first != script.exported(script.trained(1)).SerializeToString()


def test_the_sound_is_the_one_that_the_script_makes(script: ModuleType, tmp_path: Path) -> None:
    script.write_sound(tmp_path / "a.wav", script.SHOWN, calls=100)
    assert (tmp_path / "a.wav").read_bytes() == (FOLDER / "data" / "vad.wav").read_bytes()


def test_the_notes_give_the_figures_of_the_graph(script: ModuleType) -> None:
    graph = (FOLDER / "weights" / "vad.onnx").read_bytes()
    chunks, speech = (tensor.numpy() for tensor in script.batch(900_000))
    shares = dict(
        re.findall(r"\| (handed on|forgotten) \|.*?(\d+\.\d) %", load_scenario(FOLDER / "vad.toml").notes)
    )
    for how, share in shares.items():
        said = [judged(graph, chunks[:, n], is_carried=how == "handed on") for n in range(script.BATCH)]
        right = ((np.stack(said, axis=1) > 0.5) == (speech > 0.5)).mean()
        assert 100 * right == pytest.approx(float(share), abs=0.06)
    assert len(shares) == 2


def test_only_the_state_makes_the_difference(recorded: Callable[[str], Traces]) -> None:
    traces: Any = recorded("vad")
    handed_on, forgotten = traces.values()
    np.testing.assert_array_equal(handed_on.values("x"), forgotten.values("x"))
    verdicts = [next(v for v in lstmtui.diagnose(t) if v.name == "state").severity for t in traces.values()]
    assert verdicts == ["fine", "bad"]
    samples = load_scenario(FOLDER / "vad.toml").input.values
    chunks = samples.reshape(100, -1).astype(np.float32)
    for trace in (handed_on, forgotten):
        expected = judged(
            (FOLDER / "weights" / "vad.onnx").read_bytes(), chunks, is_carried=trace is handed_on
        )
        np.testing.assert_allclose(trace.values("y")[:, 0, 0], expected, atol=1e-6)

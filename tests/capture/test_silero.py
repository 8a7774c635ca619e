"""The graphs of the package silero-vad, on sound: its own speech probability, and gates of each call."""

from __future__ import annotations

import importlib.util
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lstmtui
from lstmtui.__main__ import main

SPEC = importlib.util.find_spec("silero_vad")
if SPEC is None or SPEC.origin is None:
    pytest.skip("silero-vad is not installed", allow_module_level=True)
DATA = Path(SPEC.origin).parent / "data"
CALLS = 24


def bursts(rate: int, length: int) -> np.ndarray:
    """Speech-like bursts in noise: harmonics of a voice that comes and goes."""
    t = np.arange(length) / rate
    voice = sum(np.sin(2 * np.pi * f * t) / n for n, f in enumerate((140, 280, 420, 900, 2300), 1))
    noise = 0.01 * np.random.default_rng(0).standard_normal(length)
    return np.clip(noise + 0.3 * voice * ((t % 0.5) > 0.25), -1, 1)


def write(path: Path, sound: np.ndarray, rate: int) -> np.ndarray:
    """Write the sound; gives what a reader of the file gets."""
    samples = (sound * 32767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return samples.astype(np.float64) / 32768


@pytest.mark.parametrize("name", ["silero_vad.onnx", "silero_vad_openvino_16k.onnx"])
def test_the_gradient_of_a_loss_of_the_probability_goes_to_the_gates(tmp_path: Path, name: str) -> None:
    write(tmp_path / "a.wav", bursts(16_000, 8 * 512), 16_000)
    inputs = "" if "openvino" in name else "inputs = { sr = 16000 }"
    (tmp_path / "a.toml").write_text(
        '[input]\nfile = "a.wav"\nchunk = 512\ncontext = 64\nstate = { state = "stateN" }\n'
        '[objective]\nloss = "bce"\nat = "last"\ntarget = 1\n'
        f'[[model]]\nonnx = "{DATA / name}"\n{inputs}\n[run]\ndevice = "cpu"\n'
    )
    (trace,) = lstmtui.run(tmp_path / "a.toml").values()
    assert trace.loss == pytest.approx(-np.log(trace.values("y")[-1, 0, 0]), rel=1e-5)
    assert np.abs(trace.values("dh")[-1]).max() > 0.01
    assert np.abs(trace.values("dc")[0]).max() > 0


@pytest.mark.parametrize(
    ("name", "rate", "has_rate"),
    [
        ("silero_vad.onnx", 16_000, True),
        ("silero_vad.onnx", 8_000, True),
        ("silero_vad_16k_op15.onnx", 16_000, True),
        ("silero_vad_half.onnx", 16_000, False),
    ],
)
def test_the_speech_probability_of_each_call_is_onnxruntimes(
    tmp_path: Path, name: str, rate: int, has_rate: bool
) -> None:
    import onnxruntime

    chunk, context = rate // 1000 * 32, rate // 1000 * 4
    sound = write(tmp_path / "a.wav", bursts(rate, CALLS * chunk), rate).astype(np.float32)
    inputs = f"inputs = {{ sr = {rate} }}" if has_rate else ""
    (tmp_path / "a.toml").write_text(
        f'[input]\nfile = "a.wav"\nchunk = {chunk}\ncontext = {context}\nstate = {{ state = "stateN" }}\n'
        f'[[model]]\nonnx = "{DATA / name}"\n{inputs}\n[run]\ndevice = "cpu"\n'
    )
    (trace,) = lstmtui.run(tmp_path / "a.toml").values()
    session = onnxruntime.InferenceSession(str(DATA / name), providers=["CPUExecutionProvider"])
    padded, state, expected = (
        np.concatenate([np.zeros(context, np.float32), sound]),
        np.zeros((2, 1, 128)),
        [],
    )
    for n in range(CALLS):
        feeds: dict[str, Any] = {"input": padded[None, n * chunk : (n + 1) * chunk + context]}
        feeds |= {"state": state.astype(np.float32)} | ({"sr": np.array(rate)} if has_rate else {})
        probability, state = session.run(["output", "stateN"], feeds)
        expected.append(float(probability[0, 0]))
    np.testing.assert_allclose(trace.values("y")[:, 0, 0], expected, atol=1e-6)
    assert (trace.steps, len(trace.layers), trace.absent(0)) == (CALLS, 1, "")
    np.testing.assert_allclose(trace.values("h")[-1, 0], state[0, 0], atol=1e-4)
    assert trace.values("f").shape == (CALLS, 1, 128)
    assert max(expected) > 10 * min(expected)


def test_every_file_opens_or_is_refused_for_the_true_reason(capsys: pytest.CaptureFixture[str]) -> None:
    for path in sorted(DATA.glob("*.onnx")):
        status = main(["check", str(path)])
        said = capsys.readouterr()
        if path.name == "silero_vad_op18_ifless.onnx":
            assert status == 2
            assert "it has no LSTM, GRU or RNN node, only Add, Concat, Conv" in said.err
        else:
            assert status == 0
            assert "lstm 128 → 128; states h and c" in said.out
    assert main(["check", str(DATA / "silero_vad_16k.safetensors")]) == 0

"""Makes the sound of the scenario vad, trains its detector and exports it: `python scenarios/train_vad.py`.

The sound is drawn from seeds: voices that come and go, with short pauses inside of words, knocks that sound
like a voice and are none, and noise. The same torch on the same kind of processor gives the same bytes.
"""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from lstmtui.arrays import Array

HERE = Path(__file__).parent
RATE, CHUNK = 8_000, 160
"""Samples in a second, and those of one call: 20 ms."""
WINDOW, STRIDE, BANDS, HIDDEN = 64, 32, 17, 8
FLOOR = 1e-3
"""What is added to a power before its logarithm is taken."""
MIDDLE, SPREAD = 3.0, 3.0
"""What is added to a logarithm, and what it is divided by, so that the LSTM reads numbers around 0."""
LATE = 3
"""So many calls after a word has begun it has to be known as one: a knock is no longer than two."""
STEPS, BATCH, LENGTH = 500, 32, 150
SHOWN = 21
"""The seed of the sound that the scenario shows; training uses others."""


def sound(seed: int, calls: int) -> tuple[Array, Array]:
    """Samples (calls · CHUNK,) from −1 to 1, and for each call whether somebody speaks (calls,)."""
    random = np.random.default_rng(seed)
    loud, speech = np.zeros(calls), np.zeros(calls)
    at = int(random.integers(6, 14))
    while at < calls:
        if random.random() < 0.4:  # a knock
            length = int(random.integers(1, 3))
            loud[at : at + length] = 1
        else:  # a word, with pauses in it
            length = int(random.integers(16, 32))
            loud[at : at + length] = 1
            speech[at + LATE : at + length] = 1
            for pause in range(at + 6, at + length - 6, int(random.integers(8, 14))):
                loud[pause : pause + 4] = 0
        at += length + int(random.integers(8, 20))
    t = np.arange(calls * CHUNK) / RATE
    pitch = random.uniform(90, 220) * (1 + 0.05 * np.sin(2 * np.pi * 2.5 * t))
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    voice = sum(np.sin(n * phase) / n for n in range(1, 9))
    samples = 0.25 * voice * np.repeat(loud, CHUNK) * random.uniform(0.6, 1.2)
    return np.clip(samples + 0.02 * random.standard_normal(len(samples)), -1, 1), speech


def basis() -> Tensor:
    """Windowed cosines, then sines, one of each band in a row: (2 · BANDS, 1, WINDOW)."""
    n, k = torch.arange(WINDOW), torch.arange(BANDS)[:, None]
    angle = 2 * torch.pi * k * n / WINDOW
    window = torch.hann_window(WINDOW)
    return torch.cat([torch.cos(angle), torch.sin(angle)])[:, None] * window


class Detector(nn.Module):
    """The power in bands of each chunk, an LSTM, and the logit of speech."""

    def __init__(self) -> None:
        super().__init__()
        self.basis = basis()
        self.lstm = nn.LSTM(BANDS, HIDDEN)
        self.head = nn.Linear(HIDDEN, 1)

    def features(self, chunks: Tensor) -> Tensor:
        """The logarithm of the power in each band: (N, BANDS), for chunks (N, CHUNK)."""
        both = functional.conv1d(chunks[:, None], self.basis, stride=STRIDE).square()
        power = both[:, :BANDS] + both[:, BANDS:]
        return ((power.mean(-1) + FLOOR).log() + MIDDLE) / SPREAD

    def forward(self, chunks: Tensor) -> Tensor:
        """The logits (T, B), for chunks (T, B, CHUNK)."""
        features = self.features(chunks.flatten(0, 1)).unflatten(0, chunks.shape[:2])
        logits: Tensor = self.head(self.lstm(features)[0])[..., 0]
        return logits


def batch(first: int) -> tuple[Tensor, Tensor]:
    """Sounds as chunks (T, B, CHUNK), and whether somebody speaks (T, B)."""
    drawn = [sound(seed, LENGTH) for seed in range(first, first + BATCH)]
    chunks, speech = (np.stack(parts, axis=-1) for parts in zip(*drawn, strict=True))
    chunks = chunks.reshape(LENGTH, CHUNK, BATCH).swapaxes(1, 2)
    return torch.as_tensor(chunks, dtype=torch.float32), torch.as_tensor(speech, dtype=torch.float32)


def trained(steps: int = STEPS) -> Detector:
    """A detector that has learned from sounds of its own seeds."""
    torch.manual_seed(0)
    detector = Detector()
    optimizer = torch.optim.AdamW(detector.parameters(), lr=0.01, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.02, total_steps=steps)
    for step in range(steps):
        chunks, speech = batch(1_000 + step * BATCH)
        loss = functional.binary_cross_entropy_with_logits(detector(chunks), speech)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(detector.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if (step + 1) % 100 == 0:
            print(f"  {step + 1} of {steps}: loss {loss:.4f}", flush=True)
    return detector.eval()


def exported(detector: Detector) -> Any:
    """The detector as an `onnx.ModelProto` that is called with one chunk, and has its state handed on."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    def rows(parameter: Tensor) -> Array:
        """PyTorch's rows i f g o in ONNX's order i o f c."""
        i, f, g, o = parameter.detach().numpy().reshape(4, HIDDEN, -1)
        return np.concatenate([i, o, f, g])

    lstm = detector.lstm
    biases = [rows(bias)[:, 0] for bias in (lstm.bias_ih_l0, lstm.bias_hh_l0)]
    arrays = {
        "basis": detector.basis.numpy(),
        "floor": np.float32(FLOOR),
        "middle": np.float32(MIDDLE),
        "spread": np.float32(SPREAD),
        "W": rows(lstm.weight_ih_l0)[None],
        "R": rows(lstm.weight_hh_l0)[None],
        "B": np.concatenate(biases)[None],
        "head.weight": detector.head.weight.detach().numpy(),
        "head.bias": detector.head.bias.detach().numpy(),
        "axis_0": np.array([0]),
        "axis_1": np.array([1]),
        "both": np.array([BANDS, BANDS]),
    }
    nodes = [
        helper.make_node("Unsqueeze", ["sound", "axis_1"], ["channel"]),
        helper.make_node("Conv", ["channel", "basis"], ["waves"], strides=[STRIDE]),
        helper.make_node("Mul", ["waves", "waves"], ["squares"]),
        helper.make_node("Split", ["squares", "both"], ["cosines", "sines"], axis=1),
        helper.make_node("Add", ["cosines", "sines"], ["power"]),
        helper.make_node("ReduceMean", ["power"], ["mean"], axes=[2], keepdims=0),
        helper.make_node("Add", ["mean", "floor"], ["above"]),
        helper.make_node("Log", ["above"], ["logarithm"]),
        helper.make_node("Add", ["logarithm", "middle"], ["centred"]),
        helper.make_node("Div", ["centred", "spread"], ["bands"]),
        helper.make_node("Unsqueeze", ["bands", "axis_0"], ["x"]),
        helper.make_node("Split", ["state"], ["h0", "c0"], axis=0),
        helper.make_node(
            "LSTM", ["x", "W", "R", "B", "", "h0", "c0"], ["Y", "hn", "cn"], name="lstm", hidden_size=HIDDEN
        ),
        helper.make_node("Concat", ["hn", "cn"], ["stateN"], axis=0),
        helper.make_node("Squeeze", ["hn", "axis_0"], ["h"]),
        helper.make_node("Gemm", ["h", "head.weight", "head.bias"], ["logit"], transB=1),
        helper.make_node("Sigmoid", ["logit"], ["speech"]),
    ]
    inputs = {"sound": [1, CHUNK], "state": [2, 1, HIDDEN]}
    outputs = {"speech": [1, 1], "stateN": [2, 1, HIDDEN]}
    graph = helper.make_graph(
        nodes,
        "vad",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(np.ascontiguousarray(array), name) for name, array in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def write_sound(path: Path, seed: int, calls: int) -> None:
    """Write a sound as a .wav file of 16 bits."""
    samples, _ = sound(seed, calls)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((samples * 32_767).astype("<i2").tobytes())


def accuracy(detector: Detector, *, is_carried: bool) -> float:
    """The share of calls of new sounds that are judged rightly, with the state handed on or forgotten."""
    chunks, speech = batch(900_000)
    with torch.no_grad():
        logits = (
            detector(chunks) if is_carried else detector(chunks.flatten(0, 1)[None])[0].view(LENGTH, BATCH)
        )
    return float(((logits > 0) == (speech > 0.5)).float().mean())


def main() -> None:
    """Make the sound, train the detector, and write both."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    write_sound(HERE / "data" / "vad.wav", SHOWN, calls=100)
    detector = trained()
    (HERE / "weights" / "vad.onnx").write_bytes(exported(detector).SerializeToString())
    for is_carried in (True, False):
        how = "handed on" if is_carried else "forgotten"
        print(f"state {how}: {accuracy(detector, is_carried=is_carried):.1%} of the calls are right")


if __name__ == "__main__":
    main()

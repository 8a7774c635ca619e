"""Files that Keras 3.15 wrote: what our cells compute from their weights is what Keras computed.

`tests/data/keras` has one model of four layers on its input x, in both formats, and every layer's output.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import lstmtui
from lstmtui.errors import UserError
from lstmtui.models.keras import process as keras_process
from lstmtui.models.keras.file import keras_file
from lstmtui.models.keras.layers import KerasWeights, keras_weights

DATA = Path(__file__).parents[1] / "data" / "keras"
CELLS = {"both": "lstm", "before": "gru_reset_before", "after": "gru", "plain": "rnn_relu"}


@pytest.fixture
def outputs() -> dict[str, np.ndarray]:
    with np.load(DATA / "outputs.npz") as file:
        return dict(file)


def ran(folder: Path, file: str, module: str, x: np.ndarray) -> np.ndarray:
    """h of one layer, (T, units of both directions)."""
    np.save(folder / "x.npy", x)
    scenario = folder / "s.toml"
    lines = f'input.file = "x.npy"\nmodel = [{{ checkpoint = "{file}", module = "{module}" }}]\n'
    scenario.write_text(lines, encoding="utf-8")
    (trace,) = lstmtui.run(scenario).values()
    return np.concatenate([trace.values("h", 0, d)[:, 0] for d in trace.layers[0].directions], axis=-1)


@pytest.mark.parametrize("file", ["four.keras", "four.h5"])
def test_every_layer_gives_what_keras_gave(file: str, tmp_path: Path, outputs: dict[str, np.ndarray]) -> None:
    shutil.copy(DATA / file, tmp_path)
    weights = keras_process.read_keras(tmp_path / file)
    assert (weights.cells, weights.wrong, weights.remark) == (CELLS, {}, "")
    before = outputs["x"]
    for module in CELLS:
        np.testing.assert_allclose(ran(tmp_path, file, module, before), outputs[module], rtol=1e-5, atol=1e-6)
        before = outputs[module]


def changed(tmp_path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """The model with another configuration."""
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(DATA / "four.keras") as old, zipfile.ZipFile(path, "w") as new:
        config = json.loads(old.read("config.json"))
        change({layer["config"]["name"]: layer["config"] for layer in config["config"]["layers"]})
        new.writestr("config.json", json.dumps(config))
        new.writestr("model.weights.h5", old.read("model.weights.h5"))
    return path


def read(path: Path) -> KerasWeights:
    return keras_weights(keras_file(path))


@pytest.mark.parametrize(
    ("layer", "setting", "said"),
    [
        ("after", {"recurrent_activation": "hard_sigmoid"}, "activations are tanh and hard_sigmoid"),
        (
            "after",
            {"activation": {"class_name": "function", "config": "gelu"}},
            "activations are gelu and sigmoid",
        ),
        ("plain", {"activation": None}, "its activation is linear; tanh and relu are debugged"),
        ("after", {"go_backwards": True}, r"reads its input backwards alone"),
        ("after", {"reset_after": False}, r"its bias \(2, 9\) is not that of a gru_reset_before"),
    ],
)
def test_a_layer_that_computes_something_else_is_refused(
    tmp_path: Path, layer: str, setting: dict[str, Any], said: str
) -> None:
    weights = read(changed(tmp_path, lambda layers: layers[layer].update(setting)))
    assert set(weights.wrong) == {layer}
    assert layer not in weights.cells
    np.save(tmp_path / "x.npy", np.zeros((3, 2)))
    scenario = tmp_path / "s.toml"
    scenario.write_text(f'input.file = "x.npy"\nmodel = [{{ checkpoint = "m.keras", module = "{layer}" }}]')
    with pytest.raises(UserError, match=said):
        lstmtui.run(scenario)


def test_weights_alone_are_taken_with_the_usual_activations_which_is_said(tmp_path: Path) -> None:
    with zipfile.ZipFile(DATA / "four.keras") as archive:
        (tmp_path / "m.weights.h5").write_bytes(archive.read("model.weights.h5"))
    weights = read(tmp_path / "m.weights.h5")
    assert weights.cells == {"bidirectional": "lstm", "gru": "gru_reset_before", "gru_1": "gru"}
    assert weights.remark == "the file does not say its activations: tanh and sigmoid are taken"


def test_weights_that_lie_in_another_file_are_not_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret.bin"
    secret.write_bytes(bytes(64))
    with h5py.File(tmp_path / "m.h5", "w") as file:
        group = file.create_group("model_weights/lstm/lstm_cell")
        group.create_dataset("kernel", (4, 4), "f4", external=[(str(secret), 0, 64)])
    with pytest.raises(UserError, match="weights that lie in another file"):
        read(tmp_path / "m.h5")


def test_a_damaged_file_is_a_sentence(tmp_path: Path) -> None:
    whole = (DATA / "four.h5").read_bytes()
    random = np.random.default_rng(0)
    for number in range(4):
        content = bytearray(whole[: int(random.integers(100, len(whole)))] if number % 2 else whole)
        for at in random.integers(0, min(len(content), 4000), 60):
            content[at] = random.integers(256)
        path = tmp_path / "m.h5"
        path.write_bytes(content)
        with suppress(UserError):
            keras_process.read_keras(path)

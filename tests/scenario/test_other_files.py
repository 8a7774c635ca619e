"""Files given in place of a scenario, the first thing that one types: what to do with them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from lstmtui.errors import UserError
from lstmtui.scenario import load_scenario


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".ckpt", ".bin"])
def test_weights_are_answered_with_a_scenario_that_opens_them(tmp_path: Path, suffix: str) -> None:
    weights = tmp_path / f"best{suffix}"
    torch.save(nn.GRU(1, 4).state_dict(), weights)
    with pytest.raises(UserError, match="it has weights and no input to run them on") as refused:
        load_scenario(weights)
    lines = str(refused.value).split("`")[1:4:2]
    scenario = tmp_path / "scenario.toml"
    scenario.write_text("\n".join(lines), encoding="utf-8")
    assert [model.name for model in load_scenario(scenario).models]


@pytest.mark.parametrize("name", ["model.pb", "model.tflite"])
def test_a_model_of_tensorflow_is_named_as_such(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x08\x01")
    with pytest.raises(UserError, match="it is a model of TensorFlow, which is not read; export it as ONNX"):
        load_scenario(tmp_path / name)


@pytest.mark.parametrize("name", ["model.h5", "model.keras"])
def test_a_damaged_file_of_keras_is_named_as_such(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x89HDF\r\n\x1a\n")
    with pytest.raises(UserError, match="is not a readable file of Keras: it is damaged or of another kind"):
        load_scenario(tmp_path / name)


def test_the_lines_name_the_layer_and_fit_its_input(tmp_path: Path) -> None:
    modules = nn.ModuleDict({"encoder": nn.GRU(3, 4), "decoder": nn.LSTM(2, 4)})
    torch.save(modules.state_dict(), tmp_path / "two.pt")
    said = refusal(tmp_path / "two.pt")
    assert 'module = "encoder"' in said
    assert "[[0.1, 0.1, 0.1], [0.2, 0.2, 0.2]]" in said
    torch.save(nn.GRU(300, 4).state_dict(), tmp_path / "wide.pt")
    assert '`input.file = "x.npy"` (x.npy: an array of shape (T, 300))' in refusal(tmp_path / "wide.pt")


def test_weights_that_no_scenario_opens_are_refused_for_their_own_reason(tmp_path: Path) -> None:
    torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "none.pt")
    assert "no recurrent layer that can be opened" in refusal(tmp_path / "none.pt")
    torch.save(nn.LSTM(2, 2), tmp_path / "whole.pt")
    assert "is refused: opening it would call torch.nn.modules.rnn.LSTM" in refusal(tmp_path / "whole.pt")


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("name", ["small.jit", "small.pt", "small.ts"])
def test_torchscript_is_answered_as_weights_are(tmp_path: Path, name: str) -> None:
    torch.jit.script(nn.Sequential(nn.GRU(2, 2))).save(tmp_path / name)
    assert f'`model = [{{ checkpoint = "{name}" }}]`' in refusal(tmp_path / name)


def test_data_is_answered_with_the_line_that_reads_it(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("1,2\n", encoding="utf-8")
    assert 'it is data and has no model; a scenario.toml has both, with the line `input.file = "x.csv"`' in (
        refusal(tmp_path / "x.csv")
    )


def refusal(path: Path) -> str:
    """What is said of a file that is no scenario."""
    with pytest.raises(UserError) as refused:
        load_scenario(path)
    return str(refused.value)

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


@pytest.mark.parametrize("name", ["model.h5", "model.keras"])
def test_a_model_of_keras_is_named_as_such(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x89HDF\r\n\x1a\n")
    with pytest.raises(UserError, match="it is a model of Keras, which is not read; export it as ONNX"):
        load_scenario(tmp_path / name)

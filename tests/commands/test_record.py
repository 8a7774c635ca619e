"""`lstmtui record`: a scenario becomes a trace on disk, or a sentence says why not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import lstmtui
from lstmtui.__main__ import main

SCENARIO = """
title = "Two of them"
[input]
values = [[0.1], [0.2], [0.3]]
[[model]]
name = "LSTM"
cell = "lstm"
hidden_size = 3
seed = 1
[[model]]
name = "GRU"
cell = "gru"
hidden_size = 2
seed = 2
"""


@pytest.fixture
def scenario(tmp_path: Path) -> str:
    path = tmp_path / "two.toml"
    path.write_text(SCENARIO)
    return str(path)


def test_what_was_recorded_is_what_run_gives(scenario: str, tmp_path: Path, capsys) -> None:
    target = tmp_path / "two.trace"
    assert main(["record", scenario, "-o", str(target)]) == 0
    said = capsys.readouterr()
    assert "LSTM: T=3, B=1" in said.out
    assert "GRU: T=3, B=1" in said.out
    assert said.err == ""
    loaded, expected = lstmtui.load(target), lstmtui.run(scenario)
    assert list(loaded) == list(expected) == ["LSTM", "GRU"]
    for name in expected:
        assert np.array_equal(loaded[name].values("dh"), expected[name].values("dh"))
        assert loaded[name].header == expected[name].header


def test_an_older_trace_is_replaced_and_anything_else_is_not(scenario: str, tmp_path: Path, capsys) -> None:
    target = tmp_path / "two.trace"
    assert main(["record", scenario, "-o", str(target)]) == 0
    assert main(["record", scenario, "-o", str(target), "--dtype", "float64"]) == 0
    assert lstmtui.load(target)["LSTM"].header.dtype == "float64"
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    capsys.readouterr()
    assert main(["record", scenario, "-o", str(tmp_path / "mine")]) == 2
    assert "is not a trace" in capsys.readouterr().err
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "x"


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        (("--device", "abacus"), "device abacus: not a device; use auto, cpu, cuda, cuda:N or mps"),
        (("--device", "cuda:99"), "device cuda:99: not on this machine"),
        (("--dtype", "float8"), "invalid choice: 'float8'"),
    ],
)
def test_a_device_or_a_dtype_that_is_not_there_is_refused(
    option, sentence, scenario, tmp_path, capsys
) -> None:
    assert main(["record", scenario, "-o", str(tmp_path / "x"), *option]) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_a_scenario_that_is_not_there_is_a_sentence(tmp_path: Path, capsys) -> None:
    assert main(["record", str(tmp_path / "none\x1b[2J.toml"), "-o", str(tmp_path / "x")]) == 2
    said = capsys.readouterr()
    assert "none" in said.err
    assert "\x1b" not in said.err
    assert said.out == ""


@pytest.mark.parametrize("verb", [["record", "-o", "out"], ["diagnose"], ["play", "--script", "walk.txt"]])
def test_what_a_checkpoint_was_taken_as_is_said_on_stderr_by_whatever_runs_it(
    verb: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("walk.txt").write_text("first")
    torch.save(nn.GRU(1, 2).state_dict(), "best.pt")
    model = '[input]\nvalues = [[0.1], [0.2]]\n[[model]]\ncheckpoint = "best.pt"\n'
    Path("a.toml").write_text(model)
    assert main([*verb, "a.toml"]) == 0
    said = "note: best: taken as gru from its shapes, which would fit lstm_coupled and gru_reset_before too"
    streams = capsys.readouterr()
    assert said in streams.err
    assert "note:" not in streams.out
    Path("a.toml").write_text(model + 'cell = "gru"\n')
    assert main([*verb, "a.toml"]) == 0
    assert "note:" not in capsys.readouterr().err


def test_a_checkpoint_whose_layer_is_the_file_itself_is_refused_without_a_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(nn.GRU(1, 2).state_dict() | {"gamma": torch.ones(2)}, tmp_path / "best.pt")
    scenario = '[input]\nvalues = [[0.1]]\n[[model]]\ncheckpoint = "best.pt"\n'
    (tmp_path / "a.toml").write_text(scenario)
    assert main(["record", str(tmp_path / "a.toml"), "-o", str(tmp_path / "out")]) == 2
    assert "checkpoint: best.pt: it holds gamma, which a gru has not" in capsys.readouterr().err

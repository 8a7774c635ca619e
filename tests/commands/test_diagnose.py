"""`lstmtui diagnose`: sentences for people, JSON for machines, an exit status for CI."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import lstmtui
from lstmtui.__main__ import main
from lstmtui.analysis.diagnosis import NAMES
from lstmtui.trace import Trace


@pytest.fixture
def dead(tmp_path: Path) -> str:
    """A saved ReLU run in which nothing lives."""
    module = nn.RNN(2, 4, nonlinearity="relu")
    with torch.no_grad():
        module.bias_ih_l0.fill_(-100.0)
    path = tmp_path / "dead.trace"
    lstmtui.record(module, torch.zeros(20, 1, 2)).save(path)
    return str(path)


def test_a_trace_is_told_in_lines_that_fit_a_terminal(dead: str, capsys) -> None:
    assert main(["diagnose", dead]) == 0
    out = capsys.readouterr().out
    assert all(len(line) <= 80 for line in out.splitlines())
    assert "bad           dead       layer 0 forward: h is always 0 in 4 of 4 units" in out
    assert "next: unit 0" in out
    assert "nonfinite" in out.splitlines()[-1]


def test_json_has_a_line_for_each_verdict(dead: str, capsys) -> None:
    assert main(["diagnose", dead, "--json"]) == 0
    verdicts = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    by_name = {verdict["name"]: verdict for verdict in verdicts}
    found = by_name["dead"]
    assert (found["severity"], found["layer"], found["number"], found["units"]) == (
        "bad",
        0,
        1.0,
        [0, 1, 2, 3],
    )
    assert (found["threshold"] < 1, found["next"], found["model"]) == (True, "unit 0", "RNN")
    assert by_name["nonfinite"]["severity"] == "fine"


@pytest.mark.parametrize(
    ("names", "status"), [("dead", 1), ("saturated,dead", 1), ("saturated, exploding", 0), ("", 0)]
)
def test_the_status_is_for_ci(names: str, status: int, dead: str, capsys) -> None:
    assert main(["diagnose", dead, "--fail-on", names]) == status


def test_an_unknown_verdict_is_refused_with_the_one_that_was_meant_or_the_list(dead: str, capsys) -> None:
    assert main(["diagnose", dead, "--fail-on", "dead,explodin"]) == 2
    said = capsys.readouterr().err
    assert "no verdict explodin" in said
    assert "did you mean exploding?" in said
    assert len(said.splitlines()) == 1
    assert main(["diagnose", dead, "--fail-on", "qqq"]) == 2
    said = capsys.readouterr().err
    assert "no verdict qqq" in said
    assert all(name in said for name in NAMES)


def test_a_scenario_is_run_and_every_model_is_diagnosed(capsys) -> None:
    assert main(["diagnose", "first-steps", "--fail-on", ",".join(NAMES)]) == 0
    out = capsys.readouterr().out
    assert "LSTM: " in out
    assert "GRU: " in out


def test_no_such_target_is_bad_input(tmp_path: Path, capsys) -> None:
    assert main(["diagnose", str(tmp_path / "none.trace")]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_numbers_that_a_processor_complains_of_are_no_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A damaged array may hold signalling NaN, which every conversion to another type complains of."""
    trace = lstmtui.record(nn.LSTM(2, 3), torch.ones(6, 1, 2))
    arrays = {key: np.array(trace.arrays[key]) for key in trace.arrays}
    for array in arrays.values():
        if array.dtype == np.float32 and array.ndim == 3:
            array[4:, 0, 1].view(np.uint32)[...] = 0x7FA00000
    Trace(trace.header, arrays).save(tmp_path / "t")
    assert main(["diagnose", str(tmp_path / "t")]) == 0
    said = capsys.readouterr()
    assert "nonfinite" in said.out
    assert not said.err

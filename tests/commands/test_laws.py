"""`lstmtui laws`: what it prints, its exit status, and what it cannot take."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import lstmtui
from lstmtui.__main__ import main

MODEL = """
import torch
from torch import nn

class Views(nn.Module):
    def __init__(self, bug):
        super().__init__()
        self.lstm, self.bug = nn.LSTM(2, 4), bug

    def forward(self, x):
        steps, batch, _ = x.shape
        x = x.transpose(0, 1).reshape(steps, batch, -1) if self.bug else x
        return self.lstm(x)[0]

def make(bug=False):
    return Views(bug)
"""


def scenario(folder: Path, bug: bool) -> str:
    (folder / "of_laws.py").write_text(MODEL, encoding="utf-8")
    values = np.random.default_rng(0).normal(size=(3, 6, 2)).round(2).tolist()
    (folder / "s.toml").write_text(
        f'[input]\nvalues = {values}\n[[model]]\nname = "mine"\nfactory = "of_laws:make"\n'
        f"arguments = {{ bug = {str(bug).lower()} }}\n",
        encoding="utf-8",
    )
    return str(folder / "s.toml")


def test_a_broken_law_is_status_1_and_said_with_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["laws", scenario(tmp_path, True), "--trust", "--only", "isolation, save"]) == 1
    printed = " ".join(capsys.readouterr().out.split())
    assert "broken isolation sequence" in printed
    assert "layer 0 (lstm) forward, t=0, x[" in printed
    assert "held save" in printed


def test_laws_that_hold_are_status_0_and_json_for_each(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["laws", scenario(tmp_path, False), "--trust", "--json", "--dtype", "float64"]) == 0
    results = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [r["name"] for r in results if r["status"] == "held"][:2] == ["isolation", "causality"]
    assert {r["model"] for r in results} == {"mine"}
    assert next(r for r in results if r["name"] == "steps")["text"].startswith("the model takes no state")


def test_a_trace_is_run_again_with_the_layers_it_holds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(0)
    module = torch.nn.GRU(2, 3, 2)
    trace = lstmtui.record(module, torch.randn(6, 2, 2))
    trace.save(tmp_path / "t")
    assert main(["laws", str(tmp_path / "t")]) == 0
    printed = capsys.readouterr().out
    assert "of the recorded layers and head alone" in printed
    assert printed.count(" held ") >= 6


@pytest.mark.parametrize("seeds", [False, True])
def test_what_a_factory_draws_beside_the_state_dict_is_never_fine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], seeds: bool
) -> None:
    target = scenario(tmp_path, False)
    drawing = "class Drawn(Views):\n    def __init__(self):\n        super().__init__(False)\n"
    drawing += "        self.noise = torch.randn(4)\n    def forward(self, x):\n"
    drawing += "        return super().forward(x) + self.noise\n"
    make = f"def make(bug):\n    {'torch.manual_seed(0); ' if seeds else ''}return Drawn()\n"
    (tmp_path / "of_laws.py").write_text(MODEL + drawing + make, encoding="utf-8")
    assert main(["laws", target, "--trust", "--json", "--only", "save"]) == (0 if seeds else 1)
    result = json.loads(capsys.readouterr().out)
    assert result["status"] == ("not taken" if seeds else "broken")
    assert "noise" in result["text"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["latch", "--only", "isolatoin"], "did you mean isolation?"),
        (["nowhere.toml"], "nowhere.toml"),
    ],
)
def test_what_cannot_be_taken_is_status_2_in_a_sentence(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["laws", *arguments]) == 2
    assert says in capsys.readouterr().err


OVER_ROWS = """
import torch
from torch import nn

class OverRows(nn.Module):
    def __init__(self):
        super().__init__()
        self.read, self.carry = nn.Linear(2, 4), nn.Linear(4, 4)

    def forward(self, x):
        h, out = x.new_zeros(len(x), 4), []
        for t in range(x.shape[1]):
            h = torch.tanh(self.read(x[:, t]) + self.carry(h))
            out.append(h)
        return torch.stack(out, 1)
"""


@pytest.mark.parametrize(
    ("said", "status"), [("", 2), (", batch_first = true", 0), (", batch_first = false", 1)]
)
def test_code_that_takes_the_sequences_for_timesteps_is_to_say_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], said: str, status: int
) -> None:
    (tmp_path / "over_rows.py").write_text(OVER_ROWS, encoding="utf-8")
    values = np.random.default_rng(0).normal(size=(3, 6, 2)).round(2).tolist()
    (tmp_path / "s.toml").write_text(
        f'input.values = {values}\nmodel = [{{ factory = "over_rows:OverRows"{said} }}]\n', encoding="utf-8"
    )
    assert main(["laws", str(tmp_path / "s.toml"), "--trust", "--only", "isolation, causality"]) == status
    assert ("say batch_first = true, or false" in capsys.readouterr().err) == (not said)

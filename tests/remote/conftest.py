"""One small scenario, its saved trace, and a state directory of the tests' own."""

from __future__ import annotations

from pathlib import Path

import pytest

import lstmtui

SCENARIO = """title = "Pulses"
[input]
values = [[1.0], [0.0], [0.5], [0.0], [-1.0], [0.0], [0.0], [1.0], [0.0], [0.0], [0.25], [0.0]]
[objective]
loss = "mse"
at = "every"
target = "next"
[[model]]
name = "LSTM"
cell = "lstm"
hidden_size = 4
head = 1
seed = 1
[[model]]
name = "GRU"
cell = "gru"
hidden_size = 3
num_layers = 2
bidirectional = true
head = 1
seed = 2
[playback]
script = "step 2\\nexpect t == 2\\n"
"""


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where agents keep their recordings."""
    monkeypatch.setenv("LSTMTUI_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture(scope="session")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scenario's file."""
    path = tmp_path_factory.mktemp("scenario") / "pulses.toml"
    path.write_text(SCENARIO)
    return path


@pytest.fixture(scope="session")
def saved(scenario: Path) -> Path:
    """Its trace."""
    path = scenario.parent / "pulses.trace"
    lstmtui.run(scenario).save(path)
    return path

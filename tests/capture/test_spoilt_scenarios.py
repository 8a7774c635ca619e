"""A spoilt scenario that passes its check also runs: a trace or a sentence, never a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest
from scenario.mutations import mutants

from lstmtui.__main__ import main
from lstmtui.errors import UserError
from lstmtui.scenario import ScenarioError, load_scenario

MOST_NUMBERS = 5_000
"""Larger models are sound, and slow."""


def _small(path: Path) -> bool:
    try:
        scenario = load_scenario(path)
    except (ScenarioError, UserError):
        return False
    sizes = [spec.layout.hidden_size * spec.layout.num_layers for spec in scenario.models]
    return scenario.input.steps * scenario.input.batch * sum(sizes) < MOST_NUMBERS


def test_spoilt_scenarios_run_or_say_why_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ran = 0
    (tmp_path / "spoilt").mkdir()
    for path in mutants(tmp_path / "spoilt", 200, seed=3):
        if _small(path):
            status = main(["record", str(path), "-o", str(tmp_path / "x.trace")])
            output = capsys.readouterr()
            assert status in (0, 2), path.read_bytes()
            assert bool(output.err) == (status == 2), output.err
            ran += status == 0
    assert ran >= 15

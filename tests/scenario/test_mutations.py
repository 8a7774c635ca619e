"""Whatever a scenario or its data holds: a correct verdict, never a traceback or a control character."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from scenario.mutations import SCENARIOS, mutants, write_data

from lstmtui.__main__ import main


def _is_quiet(text: str) -> bool:
    return all(character.isprintable() or character == "\n" for character in text)


def test_sound_scenarios_pass_before_they_are_spoilt(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_data(tmp_path)
    for name, text in SCENARIOS.items():
        if name:
            (tmp_path / "a.toml").write_text(text)
            assert main(["check", str(tmp_path / "a.toml")]) == 0, capsys.readouterr().err


def test_a_thousand_spoilt_files_give_a_verdict_each(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = set(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else None
    verdicts = {0: 0, 2: 0}
    for path in mutants(tmp_path, 1000, seed=20):
        status = main(["check", str(path)])
        output = capsys.readouterr()
        verdicts[status] += 1
        assert _is_quiet(output.out + output.err), path.read_bytes()
        assert bool(output.err) == (status == 2), path.read_bytes()
        assert "Traceback" not in output.err
    assert min(verdicts.values()) > 50
    if before is not None:
        assert len(set(os.listdir("/proc/self/fd")) - before) < 5

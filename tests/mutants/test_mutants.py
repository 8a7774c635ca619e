"""Whatever a file of any kind holds: a status of 0, 1 or 2 and a sentence, never a traceback or a crash."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from mutants import campaign
from mutants.campaign import run
from scenario.mutations import SCENARIOS, write_data

from lstmtui.__main__ import main

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="ONNX models are read in forks")


def test_sound_scenarios_pass_before_they_are_spoilt(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_data(tmp_path)
    for name, text in SCENARIOS.items():
        if name:
            (tmp_path / "a.toml").write_text(text)
            assert main(["check", str(tmp_path / "a.toml")]) == 0, capsys.readouterr().err


def test_two_thousand_spoilt_files_of_every_kind_are_answered() -> None:
    outcome = run(2000)
    assert not outcome.failures, str(outcome)
    assert sum(outcome.counts.values()) == 2000
    answered = {name for name, number in outcome.counts.items() if number >= 10}
    kinds = ("scenario", "checkpoint", "trace", "live", "script")
    assert answered >= {f"{kind} {status}" for kind in kinds for status in (0, 2)}, str(outcome)


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("os.kill(os.getpid(), 11)", "ended with -11"),
        ("1 / 0", "ZeroDivisionError"),
        ("print('\\x1b[2J') or 0", "prints"),
        ("print('x', file=sys.stderr) or 3", "status 3"),
        ("2", "status 2 and not a word"),
    ],
)
def test_a_campaign_finds_what_it_looks_for(monkeypatch: pytest.MonkeyPatch, case: str, said: str) -> None:
    """Its fifth case goes wrong; those before and after it are counted."""
    monkeypatch.setattr(campaign, "WORKER", ("-c", _FAULTY.format(case=case)))
    outcome = run(8)
    (failure,) = outcome.failures
    assert failure.startswith("4 case: ")
    assert said in failure
    assert sum(outcome.counts.values()) in (7, 8)


_FAULTY = """
import os, sys
from mutants import campaign
class Files:
    spoilt = []
    number = int(sys.argv[3].split()[1]) - 1
    def case(self, rng):
        self.number += 1
        return ({case}) if self.number == 4 else 0
    def restore(self): pass
    @property
    def cases(self): return {{"case": (1, self.case)}}
campaign._work(*map(int, sys.argv[3].split()), prepare=lambda folder: Files())
"""

"""Standard streams that are closed, full, or left by their reader: a sentence or silence, a true status."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from synthetic import synthetic

from lstmtui.__main__ import main

FULL = "standard output: no space left on device\n"
NO_TERMINAL = "the debugger needs a terminal; `lstmtui play --plain TARGET` works without one\n"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A small run on disk."""
    path = tmp_path_factory.mktemp("traces") / "run.trace"
    synthetic("lstm", 5, 2).save(path)
    return str(path)


def ran(
    arguments: str, streams: str, *, unbuffered: bool = False, **variables: str
) -> subprocess.CompletedProcess[str]:
    """What comes of `lstmtui ARGUMENTS STREAMS` in a shell."""
    return subprocess.run(
        ["sh", "-c", f'"$0" -m lstmtui {arguments} {streams}', sys.executable],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONUNBUFFERED": "1" if unbuffered else "", **variables},
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
@pytest.mark.parametrize("unbuffered", [False, True])
@pytest.mark.parametrize("arguments", ["--help", "scenarios", "check first-steps", "diagnose $TRACE"])
def test_output_onto_a_full_disk_is_a_sentence(arguments: str, unbuffered: bool, saved: str) -> None:
    done = ran(arguments, ">/dev/full", unbuffered=unbuffered, TRACE=saved)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", FULL)


@pytest.mark.parametrize(
    ("arguments", "streams", "status", "told"),
    [
        ("scenarios", ">&-", 0, ""),
        ("diagnose $TRACE", ">&-", 0, ""),
        ("play $TRACE --script -", "<&-", 0, ""),
        ("open $TRACE", "<&-", 2, NO_TERMINAL),
        ("open $TRACE", "2>&-", 2, ""),
        ("agent", "<&- >&- 2>&-", 0, ""),
        ("check nothing.toml", "<&- >&- 2>&-", 2, ""),
        ("nonsense", "2>/dev/full", 2, ""),
        ("check nothing.toml", "2>/dev/full", 2, ""),
    ],
)
def test_a_stream_that_takes_or_gives_nothing_is_no_traceback(
    arguments: str, streams: str, status: int, told: str, saved: str
) -> None:
    done = ran(arguments, streams, TRACE=saved)
    assert (done.returncode, done.stdout, done.stderr) == (status, "", told)


def test_a_file_never_gets_the_number_of_a_closed_stream(saved: str, tmp_path: Path) -> None:
    (tmp_path / "script").write_text("print t\nexport made.csv\nprint t\n")
    options = f"--script {tmp_path}/script --out {tmp_path}"
    assert ran(f"play $TRACE {options}", ">&- 2>&-", TRACE=saved).returncode == 0
    lines = (tmp_path / "made.csv").read_text().splitlines()
    assert len(lines) == 6
    assert len({line.count(",") for line in lines}) == 1


def test_a_reader_that_has_seen_enough_is_no_traceback(saved: str) -> None:
    script = "\n".join(["print h"] * 3000)
    shell = f'printf \'%s\' "$SCRIPT" | "$0" -m lstmtui play {saved} --script - | head -1'
    done = subprocess.run(
        ["sh", "-c", shell, sys.executable],
        capture_output=True,
        text=True,
        env={**os.environ, "SCRIPT": script},
    )
    assert (done.stdout.count("\n"), done.stderr) == (1, "")


FACTORY = """
import warnings
import torch
from torch import nn

class Cell(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Linear(1, 3)

    def forward(self, x):
        warnings.warn("of the user\x1b[31m")
        h = x.new_zeros(x.shape[1], 3)
        for t in range(len(x)):
            h = torch.tanh(self.w(x[t]) + h)
        return h.detach()
"""
SCENARIO = """
[input]
values = [[0.1], [0.4], [0.2]]
[[model]]
factory = "notes_of_a_cell:Cell"
"""


def test_warnings_are_sentences_without_code_of_this_program(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes_of_a_cell.py").write_text(FACTORY)
    (tmp_path / "run.toml").write_text(SCENARIO)
    (tmp_path / "script").write_text("set h = 1 from 1 to 1\n")
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        status = main(["play", str(tmp_path / "run.toml"), "--trust", "--script", str(tmp_path / "script")])
    printed = capsys.readouterr()
    assert status == 0, printed.err
    (own,) = [line for line in printed.err.splitlines() if line.startswith("note: ")]
    assert own.startswith("note: the loss has no gradient")
    assert printed.err.count(f"{tmp_path / 'notes_of_a_cell.py'}:12: UserWarning: of the user␛[31m") == 1
    assert "lstmtui/" not in printed.err

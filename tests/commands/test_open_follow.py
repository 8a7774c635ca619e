"""`lstmtui open --follow`: it waits for a trace, and is for traces only."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lstmtui.__main__ import main
from lstmtui.trace import Header, Layer, Trace

HEADER = Header("m", (Layer("rnn_tanh", 1, 1),), steps=3, batch=1)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the screen would open with."""
    starts: list[Any] = []
    monkeypatch.setattr("lstmtui.tui.launch.launch", lambda start, **options: starts.append(start))
    monkeypatch.setattr("lstmtui.commands.open._EVERY", 0.01)
    return starts


def save(path: Path) -> None:
    Trace(HEADER, {f"0/forward/{name}": np.zeros((3, 1, 1)) for name in ("x", "h_pre", "h")}).save(path)


def test_a_trace_that_is_not_there_yet_is_waited_for(
    tmp_path: Path, started: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    def later() -> None:
        time.sleep(0.1)
        save(tmp_path / "t")

    thread = threading.Thread(target=later)
    thread.start()
    assert main(["open", str(tmp_path / "t"), "--follow"]) == 0
    thread.join()
    assert "waiting for a trace at" in capsys.readouterr().err
    assert started[0].traces.steps == 3
    assert started[0].follow


def test_without_following_what_is_not_there_is_refused(
    tmp_path: Path, started: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["open", str(tmp_path / "t")]) == 2
    assert "there is no such file" in capsys.readouterr().err
    (tmp_path / "t").mkdir()
    assert main(["open", str(tmp_path / "t")]) == 2
    assert "not a trace" in capsys.readouterr().err
    save(tmp_path / "t")
    assert main(["open", str(tmp_path / "t")]) == 0
    assert not started[0].follow


def test_a_scenario_cannot_be_followed(started: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["open", "latch", "--follow"]) == 2
    assert "--follow is for traces" in capsys.readouterr().err
    assert started == []

"""A small trace with round numbers, saved where `play` can find it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from synthetic import synthetic

from lstmtui.trace import Trace


@pytest.fixture
def trace() -> Trace:
    """Six timesteps of an LSTM of three units; c of unit k at t is t + k/4, and NaN and inf at the end."""
    made = synthetic("lstm", 6, 3, title="Round numbers", script="step 2\nprint c\n")
    c = made.values("c")
    c[:, 0] = np.arange(6)[:, None] + np.arange(3) / 4
    c[5, 0] = [np.nan, np.inf, -np.inf]
    return made


@pytest.fixture
def saved(trace: Trace, tmp_path: Path) -> str:
    """The path of the trace."""
    trace.save(tmp_path / "run.trace")
    return str(tmp_path / "run.trace")


@pytest.fixture(autouse=True)
def _colours_of_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures have all colours, though tests before may have imported Textual in another environment."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("textual.constants.COLOR_SYSTEM", "truecolor")

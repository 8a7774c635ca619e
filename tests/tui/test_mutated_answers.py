"""Whatever an agent answers, the screen stays, and what is wrong with the answer is said in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from mutated_answers import lie


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # numbers that are lies overflow
async def test_an_answer_that_differs_from_the_truth_in_one_detail_is_shown_or_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LSTMTUI_STATE_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    lies = await lie(0, 100)
    assert lies.total() >= 100
    assert len(lies) > 8

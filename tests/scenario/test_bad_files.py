"""One mistake per file of tests/data/bad, and what is said of it; `…` stands for anything."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lstmtui.scenario import ScenarioError, load_scenario

FOLDER = Path(__file__).parents[1] / "data" / "bad"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.toml")), ids=lambda path: path.stem)
def test_the_one_mistake_is_said_with_line_key_and_suggestion(path: Path) -> None:
    expected = re.search(r"^# expect: (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert expected is not None
    with pytest.raises(ScenarioError) as caught:
        load_scenario(path)
    (problem,) = caught.value.problems
    said = str(problem)
    if str(path) in said:
        said = said.replace(f"{path}:", "line ", 1) if problem.line else said.replace(f"{path}: ", "", 1)
    pattern = ".*".join(re.escape(part) for part in expected[1].split("…"))
    assert re.search(f"(^|/){pattern}$", said), said

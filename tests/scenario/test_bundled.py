"""The scenarios that come with the package, and titles read without checking the rest."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lstmtui.scenario import bundled_scenarios, load_scenario, scenario_title
from lstmtui.scenario.bundled import find_scenario, is_bundled
from lstmtui.scenario.problem import ScenarioError


def test_bundled_scenarios_are_found_in_the_order_of_the_course() -> None:
    names = [path.stem for path in bundled_scenarios()]
    assert [name for name in names if name in ("airline", "latch", "brackets")] == [
        "airline",
        "latch",
        "brackets",
    ]


@pytest.mark.parametrize("path", bundled_scenarios(), ids=lambda path: path.stem)
def test_bundled_scenario_has_no_problems_and_a_title(path: Path) -> None:
    assert load_scenario(path).title == scenario_title(path) != path.name


def test_only_what_came_with_the_program_runs_its_python_unasked(tmp_path: Path) -> None:
    bundled = find_scenario("own-cell")
    assert load_scenario(bundled).models
    copy = tmp_path / "own-cell.toml"
    copy.write_bytes(bundled.read_bytes())
    with pytest.raises(ScenarioError, match="--trust"):
        load_scenario(copy)
    beside = bundled.with_name("put-there-by-somebody.toml")
    assert not is_bundled(beside)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ('title = "A title"\n[input]\nbroken = = 1', "A title"),
        ('notes = "x"\ntitle = "B"', "B"),
        ('title = """\nlong"""\nnotes = 1', "long"),
        ('title = "x\\u001b[2J"', "x␛[2J"),
        ('[input]\ntitle = "no"', "a.toml"),
        ("title = 3", "a.toml"),
        ('title = "  "', "a.toml"),
        ("not toml", "a.toml"),
        ("title = " + "[" * 100_000, "a.toml"),
        ("", "a.toml"),
    ],
)
def test_title_is_read_cheaply_or_is_the_file_name(tmp_path: Path, text: str, title: str) -> None:
    path = tmp_path / "a.toml"
    path.write_text(text)
    assert scenario_title(path) == title


def test_title_of_what_is_no_file_is_its_name(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe\x1b.toml")
    assert scenario_title(tmp_path / "pipe\x1b.toml") == "pipe␛.toml"
    assert scenario_title(tmp_path / "none.toml") == "none.toml"
    assert scenario_title("a\0.toml") == "a␀.toml"

"""The scenarios that come with the package, and titles read without checking the rest."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lstmtui.scenario import bundled_scenarios, load_scenario, scenario_title


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

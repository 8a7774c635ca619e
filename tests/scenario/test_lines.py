"""The line of every key, however the TOML is written."""

from __future__ import annotations

import tomllib

import pytest

from lstmtui.scenario.lines import Lines, Location, dotted

DOCUMENT = '''\
title = "a" # [not.a.table]
notes = """
[also.not]
key = 1 \\""" still
"""
a.b."c d".'e' = 1
"quoted \\u0041" = 2

[table]
x = [
  1, # one
  [2,
   3],
]
y = { p = 1, q = { r = 2 } }
z = \'\'\'
[[model]]
\'\'\'

[[model]]
name = "first"
[model.parameters]
w = 1.5
[[model.layer]]
k = 1
[[model.layer]]
k = 2

  [[ model ]] # second
name = "second"
date = 1979-05-27T07:32:00Z
[model.parameters]
w = 2
'''

EXPECTED = {
    ("title",): 1,
    ("notes",): 2,
    ("a", "b", "c d", "e"): 6,
    ("quoted A",): 7,
    ("table",): 9,
    ("table", "x"): 10,
    ("table", "x", 0): 11,
    ("table", "x", 1): 12,
    ("table", "x", 1, 1): 13,
    ("table", "y", "q", "r"): 15,
    ("table", "z"): 16,
    ("model",): 20,
    ("model", 0): 20,
    ("model", 0, "name"): 21,
    ("model", 0, "parameters"): 22,
    ("model", 0, "parameters", "w"): 23,
    ("model", 0, "layer", 0, "k"): 25,
    ("model", 0, "layer", 1, "k"): 27,
    ("model", 1): 29,
    ("model", 1, "name"): 30,
    ("model", 1, "date"): 31,
    ("model", 1, "parameters", "w"): 33,
}


@pytest.mark.parametrize("location", EXPECTED, ids=dotted)
def test_key_is_found_on_its_line(location: Location) -> None:
    tomllib.loads(DOCUMENT)
    assert Lines(DOCUMENT).find(location) == EXPECTED[location]


def test_windows_line_ends_count_once() -> None:
    assert Lines("a = 1\r\nb = 2\r\n").find(("b",)) == 2


def test_unknown_location_falls_back_to_what_is_around_it() -> None:
    lines = Lines(DOCUMENT)
    assert lines.find(("model", 1, "missing", 3)) == 29
    assert lines.find(("table", "y", "nothing")) == 15
    assert lines.find(("nowhere",)) is None


@pytest.mark.parametrize(
    "text", ["", "[", "[[", "a", "a =", "a = [", 'a = "', "a = {", "]\n}", "a = '''", "\0\n=="]
)
def test_broken_text_gives_no_line_and_no_exception(text: str) -> None:
    assert Lines(text).find(("b",)) is None


def test_deep_nesting_keeps_what_was_found() -> None:
    assert Lines("a = 1\nb = " + "[" * 100_000).find(("a",)) == 1


def test_locations_are_written_as_in_messages() -> None:
    assert dotted(("model", 1, "hidden_size")) == "model[1].hidden_size"

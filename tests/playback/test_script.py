"""A script is read as a whole: every mistake at once, at its place in the file it stands in."""

from __future__ import annotations

import pytest

from lstmtui.playback import Script, script_within
from lstmtui.session import ScriptError

FILE = '''title = "a"
[playback]
script = """
step
  stpe 2
export ../a.csv   # ../a.csv
print c[
screenshot a.jpg
"""
'''


def test_every_mistake_is_told_with_the_line_and_column_of_the_file() -> None:
    script = FILE.split('"""\n')[1]
    with pytest.raises(ScriptError) as found:
        script_within(FILE, script, "a.toml").parse()
    places = [str(problem).split(": ")[0] for problem in found.value.problems]
    assert places[:2] == ["a.toml:5:3", "a.toml:6:8"]
    assert [place.split(":")[1] for place in places] == ["5", "6", "7", "8"]
    assert 'did you mean "step"?' in str(found.value)


def test_a_script_on_one_line_keeps_its_column() -> None:
    file = 'x = 1\nscript = "stpe"\n'
    with pytest.raises(ScriptError, match=r"^a\.toml:2:11: "):
        script_within(file, "stpe", "a.toml").parse()


def test_commands_know_the_line_of_the_file() -> None:
    text = FILE.replace("stpe", "step").replace("../", "").replace("c[", "c").replace(".jpg", ".svg")
    commands = script_within(text, text.split('"""\n')[1], "a.toml").parse()
    assert [(c.line, c.verb) for c in commands][:2] == [(4, "step"), (5, "step")]


@pytest.mark.parametrize("text", ['script = "st\\u0070e"', 'script = "stpe"  # stpe'])
def test_a_script_that_cannot_be_found_in_the_file_counts_its_own_lines(text: str) -> None:
    with pytest.raises(ScriptError, match=r"^a\.toml: playback\.script:1:1: "):
        script_within(text, "stpe", "a.toml").parse()


def test_a_clean_script_parses() -> None:
    assert [c.verb for c in Script("step\n\n# nothing\r\nback", "s").parse()] == ["step", "back"]

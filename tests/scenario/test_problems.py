"""All problems of a file at once, each with its line, its key and what was meant."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lstmtui.scenario import Problem, ScenarioError, load_scenario
from lstmtui.scenario.schema import (
    FileTable,
    InputTable,
    ModelTable,
    ObjectiveTable,
    PlaybackTable,
    RunTable,
    Table,
    TargetTable,
)
from lstmtui.scenario.tasks import TASKS
from lstmtui.scenario.validation import known_keys

TABLES: dict[str, tuple[type[Table], str]] = {
    "": (FileTable, ""),
    "input": (InputTable, "[input]\n"),
    "objective": (ObjectiveTable, "[objective]\n"),
    "objective.target": (TargetTable, "[objective.target]\n"),
    "model[0]": (ModelTable, "[[model]]\n"),
    "run": (RunTable, "[run]\n"),
    "playback": (PlaybackTable, "[playback]\n"),
}
KEYS = [(place, key) for place, (table, _) in TABLES.items() for key in known_keys(table)]
TOO_SHORT = {"at", "as"}


@pytest.mark.parametrize(("place", "key"), [(p, k) for p, k in KEYS if k not in TOO_SHORT])
def test_misspelt_key_of_every_table_is_suggested(
    problems: Callable[..., tuple[Problem, ...]], place: str, key: str
) -> None:
    misspelt = key[:-1] + "q"
    text = f'{TABLES[place][1]}{misspelt} = "x"\n'
    (found,) = [p for p in problems(text, "") if p.wrong == "unknown key"]
    assert found.suggestion == key
    assert found.key == f"{place}.{misspelt}".removeprefix(".")
    assert found.line == text.count("\n")
    assert key in found.allowed


@pytest.mark.parametrize(("task", "option"), [(t.name, o) for t in TASKS.values() for o in t.options])
def test_misspelt_option_of_every_task_is_suggested(
    problems: Callable[..., tuple[Problem, ...]], task: str, option: str
) -> None:
    found = problems(f'[input]\ntask = "{task}"\n{option[:-1]} = 1', "")
    assert found[-1].suggestion == option


def test_problems_of_every_table_are_said_at_once_in_the_order_of_lines(
    problems: Callable[..., tuple[Problem, ...]], tmp_path: Path
) -> None:
    (tmp_path / "d.csv").write_text("n\nx\n1\n")
    text = """
titel = "a"
[input]
file = "d.csv"
columns = [0]
[objective]
loss = "mse"
target = { file = "missing.npy" }
[[model]]
cell = "lstm"
hidden_size = 0
[[model]]
cell = "gru"
hidden_size = 2
weights = "missing.safetensors"
[run]
dtype = "int8"
"""
    found = problems(text, "")
    assert [(p.line, p.key) for p in found] == [
        (2, "titel"),
        (8, "objective.target"),
        (11, "model[0].hidden_size"),
        (15, "model[1].weights"),
        (17, "run.dtype"),
        (2, "column n"),
    ]
    assert found[-1].file.endswith("d.csv")


def test_hundreds_of_problems_are_cut_off_with_their_number(
    problems: Callable[..., tuple[Problem, ...]],
) -> None:
    for number in (250, 5000):
        found = problems("".join(f"key{key} = 1\n" for key in range(number)))
        assert len(found) == 21
        assert found[-1].wrong == f"and {number - 19:,} more problems"


def test_message_has_one_printable_line_for_each_problem() -> None:
    error = ScenarioError(
        [Problem("a\x1b.toml", 3, "k\n", "is\twrong\r"), Problem("b", None, "", "x", "y", "z")]
    )
    assert str(error) == 'a␛.toml:3: k␊: is wrong␍\nb: x; y; did you mean "z"?'


def test_long_keys_and_values_are_cut_off(problems: Callable[..., tuple[Problem, ...]]) -> None:
    for problem in problems(f'{"k" * 100_000} = 1\n[input]\ntask = "{"t" * 100_000}"'):
        assert len(str(problem)) < 600


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b"\xff\xfe", "line 1 is not UTF-8 text"),
        (b"a = 1\nb = x.npy\n", ":2: is not TOML: invalid value; text stands in quotation marks"),
        (
            b'a = "x\nb = 1\n',
            r":1: is not TOML: illegal character '\n'; a text has no closing quotation mark",
        ),
        (b"a = 1\na = 2\n", ":2: is not TOML: cannot overwrite a value; the key is there twice"),
        (b"a = " + b"[" * 100_000, "is not TOML: nested too deeply"),
        (b"a = " + b"9" * 100_000, "is not TOML: "),
        (b"a" + b".a" * 100_000 + b" = 1", ":1: the key has too many parts"),
        (b"x = 1\ny = {a" + b".'a b'" * 100_000 + b" = 1}", ":2: the key has too many parts"),
        (b"a = '" + b"x" * (8 << 20) + b"'", "at most 1 MiB are read"),
    ],
    ids=[
        "empty",
        "binary",
        "no quotation marks",
        "one quotation mark",
        "twice",
        "nested",
        "number",
        "parts",
        "inline parts",
        "large",
    ],
)
def test_unreadable_scenario_is_one_problem(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(content)
    with pytest.raises(ScenarioError) as caught:
        load_scenario(path)
    (problem,) = caught.value.problems
    assert said in str(problem)


def test_missing_scenario_and_folder_are_problems(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="no such file"):
        load_scenario(tmp_path / "a.toml")
    with pytest.raises(ScenarioError, match="is a folder"):
        load_scenario(tmp_path)


@pytest.mark.parametrize("name", ["empty.toml", "empty.pt", "empty.onnx", "folder.toml", "missing.toml"])
def test_the_name_of_the_file_is_said_once(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.startswith("empty"):
        path.touch()
    elif name.startswith("folder"):
        path.mkdir()
    with pytest.raises(ScenarioError) as caught:
        load_scenario(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert str(caught.value).count(name) == 1


def test_title_and_notes_are_made_printable_and_the_script_is_kept(load: Callable[..., Any]) -> None:
    text = 'title = "a\\u001b[31m\\nb"\nnotes = "x\\u0007\\ny"\n[input]\nvalues = [1]\n'
    scenario = load(text + '[playback]\nscript = "step\\t1\\n"')
    assert scenario.title == "a␛[31m␊b"
    assert scenario.notes == "x␇\ny"
    assert scenario.script == "step\t1\n"


def test_title_is_the_file_name_where_there_is_none(load: Callable[..., Any]) -> None:
    scenario = load("[input]\nvalues = [1]")
    assert (scenario.title, scenario.notes, scenario.run.device, scenario.run.dtype) == (
        "a",
        "",
        "auto",
        "float32",
    )

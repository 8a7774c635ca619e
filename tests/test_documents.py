"""README and CONTRIBUTING are true: the files, rooms, verbs and topics that they name exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import lstmtui
from lstmtui.commands import VERBS
from lstmtui.help import TOPICS

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
CONTRIBUTING = ROOT / ".github" / "CONTRIBUTING.md"
PACKAGE = Path(lstmtui.__file__).parent

PATH = re.compile(
    r"(?<![\w/~.])(?:[\w.-]+/)*[\w-]+\.(?:py|toml|md|svg|txt)\b|(?<![\w/~.])(?:[.\w-]+/)+(?![\w*])"
)
"""A file's name, or a folder's with / at its end."""
EXAMPLES = {"run.toml", "walk.txt", "package.py"}
"""Files of the user's own."""


def named_paths(document: Path) -> list[str]:
    """What a document names as code or links to; of the tree of rooms what is beside each."""
    text = document.read_text(encoding="utf-8")
    outside = re.sub(r"^```(sh|python|toml)$.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    code = re.findall(r"^```$.*?^```$|`[^`\n]+`|\]\([^)]+\)", outside, re.MULTILINE | re.DOTALL)
    return [path for part in code if "://" not in part for path in PATH.findall(part)]


def exists(document: Path, path: str) -> bool:
    homes = [ROOT, PACKAGE, document.parent, *PACKAGE.iterdir()]
    return any((home / path).exists() for home in homes)


def test_lines_of_the_readme_are_short_enough_to_read_as_they_stand() -> None:
    lines = README.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if len(line) > 132] == []


@pytest.mark.parametrize("document", [README, CONTRIBUTING], ids=lambda path: path.name)
def test_every_file_that_a_document_names_is_there(document: Path) -> None:
    paths = [path for path in named_paths(document) if path not in EXAMPLES]
    assert len(paths) > 20
    assert [path for path in paths if not exists(document, path)] == []


def test_every_room_is_in_both_tours() -> None:
    rooms = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    tree = README.read_text(encoding="utf-8").split("\nlstmtui/\n")[1].split("```")[0]
    assert set(re.findall(r"^  (\w+)/ ", tree, re.MULTILINE)) == rooms
    assert set(re.findall(r"^\| `(\w+)/` ", CONTRIBUTING.read_text(encoding="utf-8"), re.MULTILINE)) == rooms


def test_every_verb_and_topic_that_the_readme_names_is_there() -> None:
    text = README.read_text(encoding="utf-8")
    assert set(re.findall(r"\blstmtui help ([a-z]+)", text)) <= set(TOPICS)
    code = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL) + re.findall(r"`(lstmtui [^`]+)`", text))
    verbs = set(re.findall(r"^(?:.*\| )?lstmtui ([a-z]+)", code, re.MULTILINE))
    assert len(verbs) > 4
    assert verbs <= set(VERBS)
    listed = text.split("lists the topics")[1].split(". The same pages")[0].split("on screen: ")[1]
    assert listed.replace("\n", " ").split(", ") == list(TOPICS)


def test_the_readme_is_read_in_one_go() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 250

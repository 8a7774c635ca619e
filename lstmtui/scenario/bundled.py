"""The scenarios that come with the package, and the titles of scenario files."""

from __future__ import annotations

import re
import tomllib
from importlib import import_module
from itertools import islice
from pathlib import Path

from lstmtui.closest import closest
from lstmtui.printable import printable

COURSE = (
    "first-steps",
    "airline",
    "lesson-dilution",
    "lesson-vanishing-gradient",
    "lesson-highway",
    "lesson-forget-gate",
    "lesson-input-gate",
    "lesson-output-gate",
    "lesson-ranges",
    "lesson-boundary",
    "lesson-gap-5",
    "lesson-gap-20",
    "lesson-gap-100",
    "lesson-peephole",
    "lesson-tied-gates",
    "lesson-gru",
    "lesson-cousins",
    "lesson-exploding-gradient",
    "lesson-what-ifs",
    "lesson-memory",
    "latch",
    "latch-newer",
    "own-cell",
    "vad",
    "brackets",
    "adding",
)
"""The order in which a newcomer best opens them; the others follow by name."""

MOST_OWN = 50
"""So many scenarios of a folder are listed."""

_LARGEST = 1 << 20
_INPUT = re.compile(r"^[ \t]*\[[ \t]*input[ \t]*\]", re.MULTILINE)


def bundled_scenarios() -> tuple[Path, ...]:
    """The bundled scenario files, in the order of a short course."""
    package = Path(str(import_module("lstmtui").__file__)).parent
    for folder in (package / "_scenarios", package.parent / "scenarios"):
        files = list(folder.glob("*.toml"))
        if files:
            return tuple(sorted(files, key=_place))
    return ()


def is_bundled(path: Path) -> bool:
    """Whether a scenario came with the program, and so did the Python that it names."""
    return path.stem in COURSE and path.resolve() in (bundled.resolve() for bundled in bundled_scenarios())


def is_lesson(path: Path) -> bool:
    """Whether a bundled scenario is a lesson of the course."""
    return path.stem.startswith("lesson-")


def own_scenarios(folder: Path) -> tuple[Path, ...]:
    """The scenario files of a folder, by name; other TOML files have no input to read."""
    bundled = {path.resolve() for path in bundled_scenarios()}
    try:
        files = sorted(path for path in folder.glob("*.toml") if path.resolve() not in bundled)
    except OSError:
        return ()
    return tuple(islice((path for path in files if _INPUT.search(_beginning(path))), MOST_OWN))


def nearest_scenario(name: str) -> str:
    """The bundled scenario whose name a word probably misspells; empty where it is none, or names a place."""
    is_name = Path(name).name == name
    return closest(name.removesuffix(".toml"), (path.stem for path in bundled_scenarios())) if is_name else ""


def find_scenario(name: str) -> Path:
    """The file `name` stands for: a path, or the name of a bundled scenario where there is no such file."""
    bundled = {path.stem: path for path in bundled_scenarios()}
    return bundled[name] if name in bundled and not Path(name).exists() else Path(name)


def _place(path: Path) -> tuple[int, str]:
    return (COURSE.index(path.stem) if path.stem in COURSE else len(COURSE), path.stem)


def scenario_title(path: str | Path) -> str:
    """The title of a scenario file, read without checking the rest; the file's name where it has none."""
    path = Path(path)
    try:
        title = _title(_beginning(path))
    except (ValueError, RecursionError):
        title = None
    return printable(title) if isinstance(title, str) and title.strip() else printable(path.name)


def scenario_notes(path: Path) -> str:
    """The notes of a scenario file, in Markdown, safe to show; empty where they cannot be read."""
    try:
        notes = tomllib.loads(_beginning(path)).get("notes")
    except (ValueError, RecursionError):
        notes = None
    return printable(notes, lines=True) if isinstance(notes, str) else ""


def _beginning(path: Path) -> str:
    """The text of a file, of a large one its beginning; empty where there is none to read."""
    try:
        if not path.is_file():
            return ""
        with path.open("rb") as file:
            text = file.read(_LARGEST).decode("utf-8-sig", errors="replace")
    except OSError:
        return ""
    return text.replace("\r\n", "\n")


def _title(text: str) -> object:
    """The title, from its own line where that is enough and from the whole file where it is not."""
    line = re.search(r"^title[ \t]*=.*$", text, re.MULTILINE)
    table = re.search(r"^[ \t]*\[", text, re.MULTILINE)
    if line and (table is None or line.start() < table.start()):
        try:
            return tomllib.loads(line.group())["title"]
        except ValueError:
            pass
    return tomllib.loads(text).get("title")

"""The scenarios that come with the package, and the titles of scenario files."""

from __future__ import annotations

import re
import tomllib
from importlib import import_module
from pathlib import Path

from lstmtui.printable import printable

COURSE = (
    "first-steps",
    "airline",
    "lesson-forget-gate",
    "lesson-input-gate",
    "lesson-output-gate",
    "lesson-ranges",
    "lesson-boundary",
    "lesson-vanishing-gradient",
    "lesson-exploding-gradient",
    "lesson-gap-5",
    "lesson-gap-20",
    "lesson-gap-100",
    "lesson-cousins",
    "latch",
    "latch-newer",
    "own-cell",
    "brackets",
    "adding",
    "copy",
    "sine",
)
"""The order in which a newcomer best opens them; the others follow by name."""

_LARGEST = 1 << 20


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
        if not path.is_file():
            return printable(path.name)
        with path.open("rb") as file:
            text = file.read(_LARGEST).decode("utf-8-sig", errors="replace")
        title = _title(text.replace("\r\n", "\n"))
    except (OSError, ValueError, RecursionError):
        title = None
    return printable(title) if isinstance(title, str) and title.strip() else printable(path.name)


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

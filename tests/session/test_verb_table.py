"""All that the program knows of a verb stands with the verb: no other file has lists of them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import lstmtui
from lstmtui.session.verbs import ALIASES, OTHER_NAMES, VERBS

PACKAGE = Path(lstmtui.__file__).parent
ROOM = PACKAGE / "session" / "verbs"

EXCEPTIONS = {
    # Each kind of line of the panel is taken away by its own verb.
    "tui/panels/watches.py": {"unwatch", "unset", "delete"},
    # Two parts of the screen of their own, the banner and the diagnosis, answer two verbs.
    "tui/screens/debugger.py": {"first-bad", "diagnose"},
    # What refuses these depends on where a search stopped, or on what somebody said.
    "session/rehearsal.py": {"out", "answer", "older", "newer"},
    # What a movement did is called as the verb that asks for it.
    "session/stop.py": {"step", "into", "out", "goto"},
    # Parts of a cursor and axes of a trace, which the verbs that choose them are named after.
    "playback/reports.py": {"model", "layer", "direction", "batch", "unit"},
    "trace/labelled.py": {"layer", "direction", "unit", "batch"},
    "view/query.py": {"layer", "direction", "batch"},
    # What keys do to a panel that scrolls, which are keys of these verbs elsewhere.
    "tui/parts/arrangement.py": {"into", "out", "first", "last"},
    # Parts of a cursor that the header shows.
    "tui/header.py": {"model", "unit", "layer", "batch"},
    # Keys of [laws], and what they are handed on to.
    "scenario/laws_table.py": {"step", "reset"},
    "capture/laws/targets.py": {"step", "reset"},
    # Fields of a line of JSON.
    "commands/train.py": {"model", "loss"},
    # Verbs of the command line.
    "commands/__init__.py": {"diagnose", "laws", "help"},
    # Topics of the reference.
    "help/topics.py": {"laws", "watch", "why"},
    # Queries, each called as the verb that asks it.
    "remote/client/answer_checks.py": {"diagnose", "why", "where"},
    # Functions and classes of the package.
    "__init__.py": {"diagnose", "laws", "watch"},
}
"""Words by file that are names of verbs and may stand there side by side."""


def collected(tree: ast.AST) -> Iterator[set[str]]:
    """The words of every literal collection, and of all comparisons and cases of every function."""
    for node in ast.walk(tree):
        match node:
            case ast.Tuple() | ast.List() | ast.Set():
                yield words(node.elts)
            case ast.Dict():
                yield words(node.keys)
                yield words(node.values)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield set().union(*(compared(part) for part in ast.walk(node)))


def compared(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Compare):
        return words([node.left, *node.comparators])
    return words([node.value]) if isinstance(node, ast.MatchValue) else set()


def words(nodes: list[ast.expr] | list[ast.expr | None]) -> set[str]:
    return {n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)}


def listed_verbs(source: str, others: set[str]) -> list[set[str]]:
    """The collections of a source that hold two names of verbs or more, but for these others."""
    names = {*VERBS} - others
    if sum(f'"{name}"' in source or f"'{name}'" in source for name in names) < 2:
        return []  # without parsing most files
    return [some & names for some in collected(ast.parse(source)) if len(some & names) > 1]


def test_no_other_file_lists_verbs() -> None:
    for path in PACKAGE.rglob("*.py"):
        name = path.relative_to(PACKAGE).as_posix()
        if ROOM not in path.parents:
            found = listed_verbs(path.read_text(encoding="utf-8"), EXCEPTIONS.get(name, set()))
            assert not found, f"{name} lists {found}: what is true of a verb stands in session/verbs"


@pytest.mark.parametrize(
    "source",
    [
        'SLOW = ("first-bad", "diagnose")',
        'SUFFIXES = {"screenshot": ".svg", "export": ".csv"}',
        'def f(verb):\n    return verb == "set" or verb == "reset"',
        'def f(verb):\n    match verb:\n        case "delete" | "enable":\n            return 1',
    ],
)
def test_a_list_of_verbs_is_seen_in_any_form(source: str) -> None:
    assert listed_verbs(source, set())


def test_every_exception_is_needed() -> None:
    for name, others in EXCEPTIONS.items():
        source = (PACKAGE / name).read_text(encoding="utf-8")
        assert listed_verbs(source, set()), f"{name} needs no exception"
        assert all(f'"{word}"' in source for word in others)


def test_no_name_stands_for_two_verbs() -> None:
    names = [n for verb in VERBS.values() for n in (verb.name, *verb.aliases, *verb.other_names)]
    assert len(names) == len(set(names)) == len(VERBS) + len(ALIASES) + len(OTHER_NAMES)


def test_who_runs_a_model_or_changes_the_run_reads_arrays() -> None:
    for verb in VERBS.values():
        assert verb.reads != "nothing" or not (verb.changes_run or verb.runs_model)

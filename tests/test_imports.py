"""Imports run one way: who may know torch, Textual and whom, seen in sources and in running processes."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import lstmtui
from lstmtui.trace import Trace

PACKAGE = Path(lstmtui.__file__).parent
SOURCES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))

LAYERS = (
    "help",
    "cells",
    "models",
    "scenario",
    "capture",
    "trace",
    "view",
    "analysis",
    "expressions",
    "session",
    "playback",
    "remote",
    "tui",
    "commands",
)
LOOKS_AT_TRACES = {"cells", "trace", "view", "analysis", "expressions"}
KNOWS: dict[str, set[str]] = {
    "help": set(),
    "cells": set(),
    "trace": {"cells"},
    "models": {"cells", "trace"},
    "scenario": {"cells", "models", "trace"},
    "capture": {"cells", "models", "scenario", "trace"},
    "capture/laws": {"cells", "models", "scenario", "trace", "capture", "view", "analysis"},
    "view": {"cells", "trace"},
    "analysis": {"cells", "trace", "view"},
    "expressions": {"cells", "trace", "view", "analysis"},
    "session": {*LOOKS_AT_TRACES, "help"},
    "playback": {*LOOKS_AT_TRACES, "session", "help"},
    "remote": {*LOOKS_AT_TRACES, "session", "playback"},
    "tui": set(LAYERS) - {"commands"},
    "commands": set(LAYERS),
}
"""Whom each folder may import, for types too; arrays, errors and printable are everybody's. The laws run
models and look at what came of it, which nothing else in capture does."""


@cache
def imported(path: Path) -> tuple[tuple[str, bool], ...]:
    """(full name, whether only for type checking) of everything a source file imports."""
    return tuple(_imported(path))


def _imported(path: Path) -> Iterator[tuple[str, bool]]:
    tree = ast.parse((PACKAGE / path).read_text(encoding="utf-8"))
    typing_only: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            typing_only |= {inner for part in node.body for inner in ast.walk(part)}
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            yield name, node in typing_only


def outside_names(path: Path) -> set[str]:
    return {name.split(".")[0] for name, typing_only in imported(path) if not typing_only}


def test_there_are_sources_to_look_at() -> None:
    assert len(SOURCES) > 30
    assert "torch" in outside_names(Path("models/recurrent.py"))


def test_only_models_and_capture_know_torch_and_only_the_tui_knows_textual() -> None:
    for path in SOURCES:
        names = outside_names(path)
        if path.parts[0] not in ("models", "capture"):
            assert "torch" not in names, path
        if path.parts[0] not in ("tui", "help"):
            assert "rich" not in names, path
        if path.parts[0] != "tui":
            assert "textual" not in names, path


def test_a_folder_imports_only_what_lies_before_it() -> None:
    for path in SOURCES:
        inner = "/".join(path.parts[:2])
        own = inner if inner in KNOWS else path.parts[0]
        allowed = {own, *KNOWS[own]} if own in KNOWS else set(LAYERS)
        for name, _ in imported(path):
            parts = [*name.split("."), ""]
            if parts[0] == "lstmtui" and parts[1] in KNOWS:
                assert parts[1] in allowed, f"{path} imports {name}"


SAVE = {"trace.trace", "trace.traces", "trace.storage", "trace.writing"}
"""`Trace.save` hands a trace to what writes it, which knows what a trace is."""


def circles() -> list[set[str]]:
    """Modules that import one another, whether at the top, in a function or for type checkers only."""
    names = {".".join(path.with_suffix("").parts).removesuffix(".__init__"): path for path in SOURCES}
    reached: dict[str, set[str]] = {}
    for name, path in names.items():
        parts = [full.removeprefix("lstmtui.") for full, _ in imported(path)]
        reached[name] = {part if part in names else part.rpartition(".")[0] for part in parts} & set(names)
    grown = True
    while grown:
        grown = False
        for targets in reached.values():
            more = set().union(*(reached[target] for target in targets)) - targets
            targets |= more
            grown = grown or bool(more)
    return [set(c) for c in {frozenset(n for n in reached[m] if m in reached[n]) for m in reached} if c]


def test_no_module_imports_itself_by_way_of_others_not_even_for_types() -> None:
    for circle in circles():
        assert circle <= SAVE, circle


def rooms() -> dict[Path, set[Path]]:
    """Which of the folders that have no folders in them import which others, by way of others too."""
    folders = {path.parent for path in SOURCES}
    inmost = {folder for folder in folders if not any(folder in other.parents for other in folders)}
    known: dict[Path, set[Path]] = {folder: set() for folder in inmost}
    for path in SOURCES:
        for name, _ in imported(path):
            home = Path(*name.split(".")[1:])
            known.get(path.parent, set()).update({home, *home.parents} & inmost - {path.parent})
    for _ in known:
        for folder, others in known.items():
            known[folder] = others.union(*(known[other] for other in others))
    return known


def test_folders_within_a_package_import_one_way() -> None:
    known = rooms()
    assert Path("capture/taps") in known[Path("capture/watching")]
    assert {str(folder) for folder, others in known.items() if folder in others} == set()


def test_every_folder_of_sources_is_a_package_and_nothing_in_it_is_ignored() -> None:
    """What git ignores is in no package that is built, even where git has it."""
    folders = {path.parent for path in SOURCES}
    assert [str(folder) for folder in folders if not (PACKAGE / folder / "__init__.py").is_file()] == []
    root = PACKAGE.parent
    if not (root / ".git").exists() or shutil.which("git") is None:
        pytest.skip("there is no git here to ask")
    names = ["git", "ls-files", "--cached", "--ignored", "--exclude-standard", "lstmtui", "scenarios"]
    ignored = subprocess.run(names, cwd=root, capture_output=True, text=True, check=True, timeout=60)
    assert ignored.stdout.splitlines() == []


def loaded(code: str, *arguments: str) -> set[str]:
    """The top-level modules a fresh process has loaded after `code`."""
    report = "\nimport json, sys\nprint('\\n' + json.dumps(sorted({m.split('.')[0] for m in sys.modules})))"
    done = subprocess.run(
        [sys.executable, "-c", code + report, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


HEAVY = {"torch", "textual", "rich", "numpy", "pydantic", "safetensors"}


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert not loaded("import lstmtui") & HEAVY
    assert not loaded("import lstmtui.printable, lstmtui.errors") & HEAVY


@pytest.mark.parametrize("arguments", [["--help"], ["open", "--help"], ["record", "--help"], ["help"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    code = f"""
import runpy, sys
sys.argv = ["lstmtui", *{arguments!r}]
try:
    runpy.run_module("lstmtui", run_name="__main__", alter_sys=True)
except SystemExit as end:
    assert not end.code, end.code
"""
    assert not loaded(code) & HEAVY


def test_the_cells_and_their_formulas_load_no_torch() -> None:
    assert not loaded("import lstmtui.cells.formula, lstmtui.cells.layout") & {"torch", "textual", "rich"}


@pytest.fixture
def saved(tmp_path: Path) -> str:
    import torch
    from torch import nn

    path = tmp_path / "run.trace"
    trace = lstmtui.record(nn.LSTM(2, 3), torch.ones(5, 1, 2))
    assert isinstance(trace, Trace)
    trace.save(path)
    return str(path)


def test_opening_a_saved_trace_loads_no_torch(saved: str) -> None:
    code = """
import sys
import lstmtui
trace = lstmtui.load(sys.argv[1])
trace.save(sys.argv[1])
assert trace.values("dc").shape == trace.values("f").shape == (5, 1, 3)
assert trace.norms("dh").shape == (5, 1)
assert trace.quantities() and trace.layers[0].layout.shapes() and trace.parameter_gradients
"""
    assert not loaded(code, saved) & {"torch", "textual", "rich"}


def test_a_session_over_a_saved_trace_loads_neither_torch_nor_textual(saved: str) -> None:
    code = """
import sys
import lstmtui
from lstmtui.session import Session
from lstmtui.analysis.equations import equations_at
from lstmtui.analysis.windows import gradient_norms, window
session = Session(lstmtui.load(sys.argv[1]))
session.step()
session.into()
assert session.cursor.t == 1
assert [equation.quantity for equation in equations_at(session.view)] == list("figcoh")
assert window(session.view, "f", 0, 5).values.shape == (5, 3)
assert len(gradient_norms(session.view, "h")) == 5
"""
    assert not loaded(code, saved) & {"torch", "textual", "rich"}


def test_recording_imports_nothing_that_takes_seconds() -> None:
    code = """
import sys
import torch
from torch import nn
before = set(sys.modules)
import lstmtui
from lstmtui.capture.layer_function import method
x = torch.ones(3, 2, 4)
for module in (nn.LSTM(4, 3), nn.GRU(4, 3, num_layers=2, bidirectional=True), nn.LSTM(4, 3, proj_size=2)):
    lstmtui.record(module, x)
    with method("unrolled"):
        assert lstmtui.record(module, x).parity is not None
others = {name for name in set(sys.modules) - before if not name.startswith("lstmtui")}
assert len(others) < 30, sorted(others)
"""
    assert not loaded(code) & {"sympy", "mpmath", "textual", "rich", "pydantic"}

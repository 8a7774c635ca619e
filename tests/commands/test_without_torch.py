"""Where torch or onnx is not installed, looking works and everything else says what it wants."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest
from safetensors.numpy import save_file
from synthetic import synthetic
from terminal import Program

import lstmtui

PACKAGE = Path(lstmtui.__file__).parent
WITHOUT = "import sys; sys.modules[{0!r}] = None; "
MAIN = "from lstmtui.__main__ import main; sys.exit(main(sys.argv[1:]))"
Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
NO_TORCH = re.compile(r"PyTorch is not installed: pip install torch .*CPU build")


@pytest.fixture
def saved(tmp_path: Path) -> str:
    synthetic(steps=6).save(tmp_path / "run.trace")
    return str(tmp_path / "run.trace")


def run(*arguments: str, code: str = MAIN, library: str = "torch", typed: str = "") -> tuple[int, str]:
    """The status of a program where a library is missing, and all that it says."""
    command = [sys.executable, "-c", WITHOUT.format(library) + code, *arguments]
    ended = subprocess.run(
        command, input=typed, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60
    )
    return ended.returncode, ended.stdout


def test_a_saved_trace_is_played_searched_drawn_and_diagnosed(saved: str, tmp_path: Path) -> None:
    picture = tmp_path / "picture.svg"
    script = f"break when t == 3\ncontinue\nexpect t == 3\nprint dc\nfirst-bad\nscreenshot {picture.name}\n"
    status, said = run("play", saved, "--script", "-", "--out", str(tmp_path), typed=script)
    assert status == 0, said
    assert picture.stat().st_size > 0
    assert run("diagnose", saved)[0] == 0


def test_a_what_if_says_that_it_wants_torch_and_the_screen_lives_on(saved: str) -> None:
    status, said = run("play", saved, "--script", "-", typed="set f = 1")
    assert (status, "Traceback" in said) == (2, False)
    assert NO_TORCH.search(said)
    with Program(["open", saved], program=("-c", WITHOUT.format("torch") + MAIN)) as program:
        program.wait_for("t=0/5")
        program.send(":set f = 1\r")
        program.wait_for("PyTorch is not installed")
        program.send("\x1b")
        program.wait_for("saved traces open without it", gone=True)
        program.send(">")
        program.wait_for("t=5/5")
        program.send("q")
        assert program.end() == 0


def test_a_scenario_that_is_picked_says_that_it_wants_torch() -> None:
    with Program([], program=("-c", WITHOUT.format("torch") + MAIN)) as program:
        program.wait_for("pick a scenario")
        program.send("\r")
        program.wait_for("PyTorch is not installed")
        program.send("\x1b")
        program.wait_for("pick a scenario")
        program.send("q")
        assert program.end() == 0


@pytest.mark.parametrize("verb", ["open", "play", "record", "diagnose", "laws"])
def test_what_runs_a_model_is_a_sentence(verb: str, tmp_path: Path) -> None:
    status, said = run(verb, "latch", *(("-o", str(tmp_path / "a")) if verb == "record" else ()))
    assert status == 2, said
    assert NO_TORCH.match(said), said
    assert len(said.splitlines()) == 1


def test_files_are_checked_as_far_as_torch_is_not_needed(tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(b"PK")
    tensors = {"weight_ih_l0": np.zeros((4, 2), np.float32), "weight_hh_l0": np.zeros((4, 1), np.float32)}
    save_file(tensors, tmp_path / "a.safetensors")
    status, said = run("check", "latch", str(tmp_path / "a.safetensors"))
    assert status == 0, said
    status, said = run("check", str(tmp_path / "a.pt"))
    assert (status, len(said.splitlines())) == (2, 1)
    assert "is not a readable PyTorch checkpoint" in said


def test_doctor_lists_the_scenarios_and_says_why_there_is_no_device() -> None:
    status, said = run("doctor")
    assert status == 0, said
    assert re.search(r"^devices +none: PyTorch is not installed", said, re.M)
    assert re.search(r"^bundled scenarios +\d+ in ", said, re.M)
    assert run("scenarios")[0] == 0


def test_every_public_function_works_or_raises_the_sentence_as_an_import_error() -> None:
    code = """
import lstmtui
needs = []
for name in lstmtui.__all__:
    try:
        getattr(lstmtui, name)
    except lstmtui.UserError as error:
        assert isinstance(error, ImportError) and error.name == "torch" and "pip install" in str(error)
        needs.append(name)
try:
    lstmtui.watch(None)
except ImportError as error:
    assert isinstance(error, lstmtui.UserError)
print(*needs)
"""
    assert run(code=code) == (0, "Recurrent laws record run\n")


def test_an_agent_says_it_as_well(tmp_path: Path) -> None:
    code = """
from types import SimpleNamespace
from lstmtui import UserError
from lstmtui.commands.agent import _model_runner
from lstmtui.scenario import find_scenario
target = SimpleNamespace(device=None, dtype=None, trust=False)
for work in (
    lambda: _model_runner().record(find_scenario("latch"), target, None),
    lambda: _model_runner().engine.rerun(None, ()),
):
    try:
        work()
    except UserError as error:
        print(str(error)[:24])
"""
    assert run(code=code) == (0, "PyTorch is not installed\n" * 2)


def test_a_library_that_cannot_be_loaded_is_a_sentence_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise OSError('libtorch_cpu.so: no such file')")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {MAIN}"
    assert run("play", "latch", code=code, library="_") == (
        2,
        "torch is installed but cannot be loaded: libtorch_cpu.so: no such file\n",
    )


def test_without_onnx_a_model_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"\x08\x07")
    status, said = run("check", str(tmp_path / "a.onnx"), library="onnx")
    assert (status, len(said.splitlines())) == (2, 1)
    assert "pip install 'lstmtui[onnx]'" in said


def imports(nodes: list[ast.AST]) -> set[str]:
    """The modules that these statements import."""
    names = {f"{n.module}.{a.name}" for n in nodes if isinstance(n, ast.ImportFrom) for a in n.names}
    names |= {str(n.module) for n in nodes if isinstance(n, ast.ImportFrom)}
    return names | {a.name for n in nodes if isinstance(n, ast.Import) for a in n.names}


def functions(tree: ast.Module) -> Iterator[tuple[Function, list[ast.AST]]]:
    """Every function, with the nodes that stand in it and in no function within it."""
    owners: list[ast.AST] = [tree]
    while owners:
        owner, nodes = owners.pop(), list[ast.AST]()
        to_visit = list(ast.iter_child_nodes(owner))
        while to_visit:
            node = to_visit.pop()
            if isinstance(node, Function):
                owners.append(node)
            else:
                nodes.append(node)
                to_visit += ast.iter_child_nodes(node)
        if isinstance(owner, Function):
            yield owner, nodes


def test_whatever_needs_torch_is_imported_after_torch_was_looked_for() -> None:
    sources = {}
    for path in PACKAGE.rglob("*.py"):
        name = ".".join(("lstmtui", *path.relative_to(PACKAGE).with_suffix("").parts))
        sources[name.removesuffix(".__init__")] = ast.parse(path.read_text(encoding="utf-8"))
    top = {name: imports([*tree.body]) for name, tree in sources.items()}
    heavy = {"torch"}
    while more := {n for n, names in top.items() if n not in heavy and names & heavy}:
        heavy |= more
    heavy |= {name for names in top.values() for name in names if name.startswith("torch.")}
    assert "lstmtui.capture.run" in heavy
    light = {name: tree for name, tree in sources.items() if name not in heavy}
    assert "lstmtui.commands.record" in light
    for name, tree in light.items():
        for function, nodes in functions(tree):
            if imports(nodes) & heavy:
                assert 'load_library("torch")' in ast.unparse(function).replace("'", '"'), (
                    f"{name}.{function.name}"
                )

"""`lstmtui --print-completion`: bash completes verbs, options, bundled scenarios and files."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from lstmtui.__main__ import main


@pytest.fixture
def bash(capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["--print-completion", "bash"]) == 0
    return capsys.readouterr().out


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        (["di"], ["diagnose"]),
        (["--ver"], ["--version"]),
        (["open", "lat"], ["latch", "latch-newer"]),
        (["check", "my-"], ["my-own.toml"]),
        (["check", "latch", "my-"], ["my-own.toml"]),
        (["diagnose", "latch", "--fail"], ["--fail-on"]),
        (["open", "--color", "tr"], ["truecolor"]),
        (["record", "latch", "-o", "re"], ["results"]),
    ],
    ids=lambda words: "-".join(words),
)
def test_bash_completes(typed: list[str], completed: list[str], bash: str, tmp_path: Path) -> None:
    (tmp_path / "my-own.toml").touch()
    (tmp_path / "results").mkdir()
    (tmp_path / "results.txt").touch()
    function = re.search(r"^complete .*-F (\S+)", bash, re.MULTILINE)[1]  # type: ignore[index]
    words = " ".join(["lstmtui", *typed])
    asked = f"COMP_WORDS=({words}); COMP_CWORD={len(typed)}; {function}; echo ${{COMPREPLY[@]}}"
    done = subprocess.run(
        ["bash", "-c", f"{bash}\n{asked}"], capture_output=True, text=True, cwd=tmp_path, timeout=20
    )
    assert sorted(done.stdout.split()) == completed, done.stderr


def test_the_script_for_zsh_knows_verbs_and_scenarios(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--print-completion=zsh"]) == 0
    script = capsys.readouterr().out
    assert script.startswith("#compdef lstmtui")
    assert "say what is wrong with a run" in script
    assert "scenarios:scenario:(first-steps airline " in script
    if zsh := shutil.which("zsh"):
        subprocess.run([zsh, "-n"], input=script, text=True, check=True, timeout=20)


def test_an_unknown_shell_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--print-completion", "abacus"]) == 2
    assert "'bash', 'zsh'" in capsys.readouterr().err

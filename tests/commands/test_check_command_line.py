"""The frame of the command line: verbs, help, versions, statuses, and what help does not load."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import pytest

import lstmtui
from lstmtui.__main__ import main
from lstmtui.commands import VERBS, verb
from lstmtui.errors import UserError


def _python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("argv", [["--help"], ["--version"], ["check", "--help"], ["scenarios"]])
def test_light_verbs_load_neither_torch_nor_textual(argv: list[str]) -> None:
    heavy = "{'torch', 'textual', 'rich', 'numpy', 'pydantic'}"
    done = _python(
        f"import sys; from lstmtui.__main__ import main; main({argv}); print({heavy} & set(sys.modules))"
    )
    assert done.stdout.splitlines()[-1] == "set()", done.stderr


def test_check_loads_neither_torch_nor_textual(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('[input]\ntask = "latch"\n[[model]]\ncell = "lstm"\nhidden_size = 1\n')
    done = _python(
        f"import sys; from lstmtui.__main__ import main; main(['check', {str(tmp_path / 'a.toml')!r}]);"
        "print({'torch', 'textual', 'rich'} & set(sys.modules))"
    )
    assert "fine" in done.stdout
    assert done.stdout.splitlines()[-1] == "set()"


def test_help_lists_every_verb_with_its_summary(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    said = capsys.readouterr().out
    assert all(f"  {name}" in said and verb(name).SUMMARY in said for name in VERBS)


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_has_help_of_its_own(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    assert verb(name).SUMMARY in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"lstmtui {lstmtui.__version__}\n"


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["chekc"], "there is no verb chekc; did you mean lstmtui check?"),
        (["a.toml"], "there is no verb a.toml; did you mean lstmtui open a.toml?"),
        (["airline"], "there is no verb airline; did you mean lstmtui open airline?"),
        (["."], "there is no verb .; did you mean lstmtui open .?"),
        (["\x1b[2J"], "there is no verb ␛[2J"),
        (["check"], "the following arguments are required: FILE"),
        (["check", "--\x1b[2J", "a"], "unrecognized arguments: --␛[2J"),
        (["scenarios", "extra"], "unrecognized arguments: extra"),
    ],
)
def test_wrong_usage_is_status_2_and_a_sentence(
    argv: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(argv) == 2
    output = capsys.readouterr()
    assert said in output.err
    assert output.out == ""


class _Verb:
    SUMMARY = "a verb"

    def __init__(self, result: int | BaseException) -> None:
        self.result = result
        self.arguments = argparse.Namespace()

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("target", nargs="?")
        parser.add_argument("--ascii", action="store_true")

    def run(self, arguments: argparse.Namespace) -> int:
        self.arguments = arguments
        if isinstance(self.result, BaseException):
            raise self.result
        return self.result


@pytest.mark.parametrize(
    ("result", "status"), [(0, 0), (1, 1), (UserError("bad \x1b[2J"), 2), (KeyboardInterrupt(), 130)]
)
def test_status_is_that_of_the_verb_or_of_what_stopped_it(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    result: int | BaseException,
    status: int,
) -> None:
    monkeypatch.setattr("lstmtui.__main__.verb", lambda name: _Verb(result))
    assert main(["doctor"]) == status
    assert capsys.readouterr().err == ("bad ␛[2J\n" if status == 2 else "")


def test_ctrl_c_in_the_midst_of_a_lock_is_still_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted = RuntimeError("release unlocked lock")
    interrupted.__context__ = KeyboardInterrupt()
    monkeypatch.setattr("lstmtui.__main__.verb", lambda name: _Verb(interrupted))
    assert main(["doctor"]) == 130
    monkeypatch.setattr("lstmtui.__main__.verb", lambda name: _Verb(RuntimeError("a fault of ours")))
    with pytest.raises(RuntimeError, match="a fault of ours"):
        main(["doctor"])


@pytest.mark.parametrize(("argv", "target", "is_ascii"), [([], None, False), (["--ascii"], None, True)])
def test_without_a_verb_it_is_open(
    monkeypatch: pytest.MonkeyPatch, argv: list[str], target: str | None, is_ascii: bool
) -> None:
    opened = _Verb(0)
    monkeypatch.setattr("lstmtui.__main__.verb", lambda name: opened if name == "open" else None)
    assert main(argv) == 0
    assert (opened.arguments.target, opened.arguments.ascii) == (target, is_ascii)


def test_closed_pipe_is_no_traceback() -> None:
    code = "import sys; from lstmtui.__main__ import main; sys.exit(main(['scenarios']))"
    with subprocess.Popen(
        [sys.executable, "-c", f"import time; time.sleep(0.3); {code}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""
        process.wait(60)
    assert process.returncode == 141


def test_scenarios_lists_name_and_title(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scenarios"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(
        line.split(maxsplit=1)[0] == "airline" and "irline" in line.split(maxsplit=1)[1] for line in lines
    )


def test_output_that_the_terminal_cannot_show_is_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "π.toml").write_text('[input]\nvalues = ["π"]\n')
    done = subprocess.run(
        [sys.executable, "-m", "lstmtui", "check", str(tmp_path / "π.toml")],
        capture_output=True,
        env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr

"""`lstmtui doctor`: what was found, and why, wherever it runs."""

from __future__ import annotations

import re
import sys
from email.message import Message
from importlib.metadata import version

import pytest

from lstmtui.__main__ import main


def test_everything_that_was_looked_at_has_a_line(capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    monkeypatch.setenv("TERM", "xterm\x1b]0;x\x07")
    monkeypatch.delenv("COLORTERM", raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert main(["doctor"]) == 0
    said = capsys.readouterr()
    for name in (
        "python",
        "torch",
        "textual",
        "cpu",
        "cuda",
        "mps",
        "terminal",
        "colours",
        "ssh",
        "multiplexer",
        "Unicode",
        "clipboard",
        "bundled",
    ):
        assert any(line.startswith(name) for line in said.out.splitlines()), name
    assert "stdout is not one" in said.out
    assert "16, because TERM=xterm" in said.out
    assert "\x1b" not in said.out
    assert said.err == ""


def test_every_declared_dependency_has_its_version_and_whether_it_fits(
    capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    declared = Message()
    for name, value in (
        ("Requires-Dist", "numpy>=1.26"),
        ("Requires-Dist", "rich>=999"),
        ("Requires-Dist", "not-there-at-all>=1; python_version >= '3'"),
        ("Requires-Dist", "pytest<2; python_version < '3'"),
        ("Requires-Dist", 'pyte>=0.8.2; extra == "drawing"'),
        ("Requires-Dist", 'nor-this; extra == "drawing"'),
        ("Provides-Extra", "drawing"),
    ):
        declared[name] = value
    monkeypatch.setattr("lstmtui.commands.dependencies.metadata", lambda name: declared)
    assert main(["doctor"]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert f"numpy {version('numpy')}, as wanted >=1.26" in lines
    assert f"rich {version('rich')} does not fit, wanted >=999: pip install 'rich>=999'" in lines
    assert "not-there-at-all not installed, wanted >=1" in lines
    assert f"pyte {version('pyte')}, as wanted >=0.8.2 for [drawing]" in lines
    assert "extra drawing not installed: nor-this; pip install 'lstmtui[drawing]'" in lines
    assert not any(line.startswith("pytest") for line in lines)


def test_what_a_missing_package_hides_is_a_line(capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lstmtui.tui.colors", None)
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert re.search(r"^terminal +could not be looked at: import of lstmtui\.tui\.colors", said, re.M)
    assert re.search(r"^bundled scenarios", said, re.M)


def test_no_colour_is_explained(capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert main(["doctor"]) == 0
    assert "none, because NO_COLOR is set; --color overrides" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("variables", "sentences"),
    [
        (
            {"TERM": "xterm-256color", "SSH_CONNECTION": "1.2.3.4 5 6.7.8.9 22"},
            ["ssh yes, because SSH_CONNECTION is set", "colours 256, because TERM=xterm-256color says 256"],
        ),
        (
            {"TERM": "tmux-256color", "TMUX": "/tmp/tmux-1/default,1,0"},
            ["multiplexer tmux, because TMUX is set", "clipboard OSC 52, if tmux has `set-clipboard on`"],
        ),
        ({"TERM": "screen", "STY": "1.host"}, ["multiplexer GNU screen", "colours 16, because TERM=screen"]),
        ({"TERM": "linux"}, ["Unicode no, because TERM=linux is a console", "colours 16"]),
        ({"TERM": "xterm", "LC_ALL": "de_DE.ISO-8859-1"}, ["Unicode no, because LC_ALL=de_DE.ISO-8859-1"]),
        ({"TERM": "xterm", "COLUMNS": "40", "LINES": "10"}, ["terminal 40×10, small: 60×20 and more"]),
    ],
)
def test_each_fact_is_said_with_its_reason(
    variables: dict[str, str], sentences: list[str], capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TERM", "COLORTERM", "NO_COLOR", "CLICOLOR", "TERM_PROGRAM", "LC_TERMINAL", "VTE_VERSION"):
        monkeypatch.delenv(name, raising=False)
    for name in ("TMUX", "STY", "SSH_CONNECTION", "SSH_TTY", "LC_ALL", "LC_CTYPE", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert main(["doctor"]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    for sentence in sentences:
        assert any(line.startswith(sentence) for line in lines), "\n".join(lines)

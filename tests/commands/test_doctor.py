"""`lstmtui doctor`: what was found, and why, wherever it runs."""

from __future__ import annotations

import pytest

from lstmtui.__main__ import main


def test_everything_that_was_looked_at_has_a_line(capsys, monkeypatch: pytest.MonkeyPatch) -> None:
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
        "Unicode",
        "bundled",
    ):
        assert any(line.startswith(name) for line in said.out.splitlines()), name
    assert "stdout is not one" in said.out
    assert "16, because TERM=xterm" in said.out
    assert "\x1b" not in said.out
    assert said.err == ""


def test_no_colour_is_explained(capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert main(["doctor"]) == 0
    assert "none, because NO_COLOR is set; --color overrides" in capsys.readouterr().out

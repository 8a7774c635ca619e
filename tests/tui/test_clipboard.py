"""`y` sends a value to the clipboard of the terminal in front of the user, and nothing else."""

from __future__ import annotations

import base64
import re

import numpy as np
import pytest
from synthetic import synthetic

from lstmtui.errors import UserError
from lstmtui.session import Session
from lstmtui.tui.clipboard import MOST_BYTES, clipboard_sequence
from lstmtui.tui.copying import exact, value_in_focus


def received(sequence: str, wrapper: str = "") -> list[str]:
    """The texts a terminal is given; in tmux or screen what they hand on to theirs."""
    if wrapper == "tmux":
        passed = re.findall(r"\x1bPtmux;((?:\x1b\x1b|[^\x1b])*)\x1b\\", sequence)
        sequence = "".join(passed).replace("\x1b\x1b", "\x1b")
    if wrapper == "screen":
        sequence = "".join(re.findall(r"\x1bP(\x1b?[^\x1b]*)\x1b\\", sequence))
    found = re.findall(r"\x1b\]52;c;([A-Za-z0-9+/=]*)\x07", sequence)
    return [base64.b64decode(one).decode() for one in found]


@pytest.mark.parametrize("text", ["0.25", "∂L = −1\nzwei", "x" * 5000])
def test_the_text_arrives_in_every_terminal(text: str) -> None:
    assert received(clipboard_sequence(text, {"TERM": "xterm-256color"})) == [text]
    inside = {"TERM": "tmux-256color", "TMUX": "/tmp/tmux-0/default,1,0"}
    assert received(clipboard_sequence(text, inside), "tmux") == [text]
    assert received(clipboard_sequence(text, inside).partition("\x1bP")[0]) == [text]
    inside = {"TERM": "screen-256color", "STY": "1.pts-0.host"}
    assert received(clipboard_sequence(text, inside), "screen") == [text]
    assert max(map(len, re.split(r"\x1bP|\x1b\\", clipboard_sequence(text, inside)))) <= 256


def test_what_a_terminal_would_obey_is_made_visible() -> None:
    text = received(clipboard_sequence("a\x1b[201~\rrm\x07\x9b", {"TERM": "xterm"}))
    assert text == ["a␛[201~␍rm␇�"]


def test_what_terminals_would_drop_is_refused() -> None:
    assert len(clipboard_sequence("x" * 55_000, {"TERM": "xterm"})) <= MOST_BYTES + 10
    with pytest.raises(UserError, match="export FILE"):
        clipboard_sequence("x" * 56_000, {})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.float32(0.1), "0.1"),
        (0.1, "0.1"),
        (1e300, "1e+300"),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (np.bool_(True), "true"),
        (np.array([1.5, -2.0], np.float32), "[1.5, -2.0]"),
    ],
)
def test_numbers_are_copied_in_full(value: object, text: str) -> None:
    assert exact(value) == text


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn_tanh"])
def test_every_panel_has_a_value_to_copy(cell: str) -> None:
    session = Session(synthetic(cell, 20, 6))
    session.goto(3)
    for number in (None, *range(1, 10)):
        what, text = value_in_focus(session, number)
        assert "t=3" in what
        found = [float(one) for one in re.findall(r"-?\d+\.\d+(?:e[+-]\d+)?", text)]
        assert found
        if number == 4:
            assert np.array_equal(np.array(found, np.float32), session.trace.values("h")[3, 0])
        if number == 9:
            assert f"h = {exact(session.trace.values('h')[3, 0, 0])}\n" in text


async def test_a_watch_is_copied_with_its_value(debugger, capture_driver, monkeypatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("TMUX", "STY"):
        monkeypatch.delenv(name, raising=False)
    async with debugger(synthetic("lstm", 20, 6)) as pilot:
        screen = pilot.app.screen
        screen.run_text("watch 1 / 4")
        screen.action_panel(7)
        await pilot.pause()
        capture_driver.taken()
        screen.action_copy()
        await pilot.pause()
        written = capture_driver.taken()
        assert received(written) == ["0.25"]
        assert screen.message is not None
        assert screen.message.text == "copied 1 / 4: 0.25"

"""The real program in a real terminal: every key by the bytes a keyboard sends, and how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from synthetic import synthetic
from terminal import Program

from lstmtui.trace import Traces
from lstmtui.tui.keys import KEYS

RESTORED = ("\x1b[?1049l", "\x1b[?25h", "\x1b[?1000l", "\x1b[?1006l")
"""Back to the usual screen, with its cursor, without reports of the mouse."""

BYTES = {
    "right": "\x1b[C",
    "left": "\x1b[D",
    "down": "\x1b[B",
    "up": "\x1b[A",
    "enter": "\r",
    "shift+right": "\x1b[1;2C",
    "shift+left": "\x1b[1;2D",
    "greater_than_sign": ">",
    "less_than_sign": "<",
    "pagedown": "\x1b[6~",
    "pageup": "\x1b[5~",
    "home": "\x1b[H",
    "end": "\x1b[F",
    "circumflex_accent": "^",
    "dollar_sign": "$",
    "space": " ",
    "plus": "+",
    "equals_sign": "=",
    "minus": "-",
    "tab": "\t",
    "shift+tab": "\x1b[Z",
    "ctrl+l": "\x0c",
    "ctrl+n": "\x0e",
    "ctrl+o": "\x0f",
    "ctrl+y": "\x19",
    "ctrl+z": "\x1a",
    "question_mark": "?",
    "f1": "\x1bOP",
}
SHOWS = {
    "step": r"t=151/299",
    "back": r"t=149/299",
    "into": r"▸ f₁₅₀ =",
    "out": r"\A(?!(.|\n)*▸ f₁₅₀)",
    "step_10": r"t=160/299",
    "back_10": r"t=140/299",
    "page_on": r"t=(1[6-9]\d|2\d\d)/299",
    "page_back": r"t=(1[0-3]\d|\d\d)/299",
    "first": r"t=0/299",
    "last": r"t=299/299",
    "goto": r":goto ",
    "break": r":break when ",
    "watch": r":watch ",
    "continue": r"t=299/299",
    "rcontinue": r"t=0/299",
    "command": r"\n:",
    "lesson": r"has no playback script",
    "play": r"playing, 5 a second",
    "faster": r"10 timesteps a second",
    "slower": r"2 timesteps a second",
    "unit": r"unit 1 ",
    "unit_back": r"unit 5 ",
    "model": r"GRU gru 1×4",
    "model_back": r"GRU gru 1×4",
    "layer": r"layer 1 →",
    "direction": r"layer 0 ←",
    "batch": r"batch 1",
    "help": r"↵ run",
    "messages": r"What was said",
    "undo": r"there is nothing to undo",
    "redo": r"there is nothing to redo",
    "older": r"t=(?!150/)\d+/299",
    "newer": r"there is no newer place",
}
"""What the screen shows after a key, by row; the other rows are tested where focus can be seen."""
FIRST = {"out": ("j", r"▸ f₁₅₀ =")}
AFTER = {
    **{
        "into": "k",
        "goto": "\x1b",
        "break": "\x1b",
        "watch": "\x1b",
        "command": "\x1b",
        "play": " ",
        "help": "\x1b",
        "messages": "\x1b",
        "faster": "-",
        "slower": "+",
        "layer": "L",
    },
    **{"unit": "U", "unit_back": "u", "model": "M", "model_back": "m", "direction": "d", "batch": "B"},
}
"""How to undo it; without an entry by going to the middle again."""


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Two models of 300 timesteps, on disk."""
    path = tmp_path_factory.mktemp("traces") / "run.trace"
    lstm = synthetic("lstm", 300, 6, layers=2, bidirectional=True, batch=2, name="LSTM")
    Traces({"LSTM": lstm, "GRU": synthetic("gru", 300, 4, name="GRU")}).save(path)
    return str(path)


def test_every_key_does_on_screen_what_help_says(saved: str) -> None:
    with Program(["open", saved], (120, 40)) as program:
        program.wait_for("t=0/299(.|\n)*quit")
        for key in KEYS:
            names = [name for name in key.keys if len(name) == 1 or name in BYTES]
            for name in names if key.id in SHOWS else ():
                to_the_middle(program)
                before, seen = FIRST.get(key.id, ("", ""))
                program.send(before)
                program.wait_for(seen)
                program.send(BYTES.get(name, name))
                program.wait_for(SHOWS[key.id])
                if key.id in AFTER:
                    program.send(AFTER[key.id])
                    program.wait_for(SHOWS[key.id], gone=True)
        program.send("q")
        assert program.end() == 0
        assert_restored(program)


def to_the_middle(program: Program) -> None:
    """Where there is room for every step, by typing its number."""
    program.send("g")
    program.wait_for(":goto ")
    program.send("150\r")
    program.wait_for(":goto ", gone=True)
    program.wait_for("t=150/299")


def assert_restored(program: Program) -> None:
    """The terminal is as it was before."""
    written = program.written.decode()
    for sequence in RESTORED:
        assert sequence in written
        assert written.rfind(sequence) > written.rfind(sequence[:-1] + ("h" if sequence[-1] == "l" else "l"))


def test_escape_ends_the_zoom_of_a_hidden_panel_and_ctrl_c_quits(saved: str) -> None:
    with Program(["open", saved], (80, 24)) as program:
        program.wait_for("t=0/299(.|\n)*quit")
        program.send("8")
        program.wait_for("8 Notes")
        program.send("\x1b")
        program.wait_for("2 Gates")
        program.send("\x03")
        assert program.end() == 0
        assert_restored(program)


def test_another_size_keeps_the_place(saved: str) -> None:
    with Program(["open", saved], (120, 40)) as program:
        program.wait_for("t=0/299(.|\n)*quit")
        to_the_middle(program)
        program.resize(60, 20)
        program.wait_for("9 Values", gone=True)
        program.wait_for("t=150/299(.|\n)*5 Step: unit 0 at t=1")
        program.resize(120, 40)
        program.wait_for("t=150/299(.|\n)*9 Values", limit=8)


def test_stopped_and_continued_it_draws_everything_again(saved: str) -> None:
    with Program(["open", saved], (80, 24)) as program:
        program.wait_for("t=0/299(.|\n)*quit")
        os.kill(program.process.pid, signal.SIGTSTP)
        program.read(quiet=0.3)
        program.terminal.screen.reset()
        os.kill(program.process.pid, signal.SIGCONT)
        program.wait_for("t=0/299")
        program.send("q")
        assert program.end() == 0


@pytest.mark.parametrize("terminal", ["dumb", ""])
def test_a_terminal_that_cannot_be_drawn_on_is_a_sentence(terminal: str, saved: str) -> None:
    with Program(["open", saved], environment={"TERM": terminal}) as program:
        assert program.end() == 2
        assert "cannot be drawn on" in program.terminal.text
        assert "`lstmtui play --plain TARGET`" in program.terminal.text
        assert "Traceback" not in program.terminal.text
        assert b"\x1b" not in program.written


def test_without_a_terminal_there_is_a_sentence(saved: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "lstmtui", "open", saved],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert ran.returncode == 2
    assert "needs a terminal; `lstmtui play --plain TARGET`" in ran.stderr
    assert ran.stderr.count("\n") == 1
    assert ran.stdout == ""


def test_opening_a_saved_trace_loads_no_torch(saved: str, tmp_path: Path) -> None:
    script = tmp_path / "probe.py"
    script.write_text(
        "import sys\nfrom lstmtui.tui import launch\n"
        "launch.launch = lambda start, **_: print(sorted({'torch'} & set(sys.modules)))\n"
        "from lstmtui.__main__ import main\n"
        f"sys.exit(main(['open', {saved!r}]))\n"
    )
    ran = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        cwd=Path.cwd(),
        env={**os.environ, "PYTHONPATH": os.getcwd()},
    )
    assert (ran.returncode, ran.stdout.strip()) == (0, "[]"), ran.stderr

"""Whatever is typed, clicked and resized: the program lives, answers to ?, and leaves a clean terminal."""

from __future__ import annotations

import signal
from pathlib import Path
from random import Random

import pytest
import random_walk
from terminal import Program, Terminal

SCRIPT = str(Path(random_walk.__file__))


async def test_a_random_walk_leaves_the_program_alive(
    capture_driver, colours, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    seen = await random_walk.walk(seed=0, count=240, capture=capture_driver)
    assert seen["events"] >= 240
    assert all(seen[f"start: {kind}"] for kind in random_walk.STARTS)
    assert seen["DebuggerScreen"]


@pytest.mark.parametrize(("kind", "end"), [("list", "q"), ("opening", "SIGTERM"), ("runs", "SIGHUP")])
def test_after_a_random_walk_the_terminal_is_left_clean(kind: str, end: str) -> None:
    dice, size = Random(end), (80, 24)
    stream = random_walk.events(dice, size)
    with Program(["--screen", kind], size, program=(SCRIPT,)) as program:
        before = program.attributes
        program.wait_for("pick a scenario|Recording|t=0/39")
        for event in (next(stream) for _ in range(60)):
            if isinstance(event, tuple):
                program.resize(*event)
            elif event not in random_walk.ENDS:
                program.send(event)
                program.read(quiet=0.0)
        program.read(quiet=0.1)
        if end == "q":
            program.resize(80, 24)
            # The input may wait for the rest of a sequence; the list and the help are left by q as well.
            for key in "\x1b\x1bqqqq":
                program.send(key)
                program.read(quiet=0.15)
            assert program.end() == 0
        else:
            program.process.send_signal(signal.Signals[end])
            assert program.end() == 128 + signal.Signals[end]
        assert b"Traceback" not in program.written
        assert program.terminal.modes == Terminal(*size).modes
        assert not program.terminal.screen.cursor.hidden
        assert program.attributes == before

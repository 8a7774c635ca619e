"""However the program ends, the terminal is as it was before."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from clock import Within
from synthetic import synthetic
from terminal import Program, Terminal

FAILS = """
import sys
from lstmtui.__main__ import main
from lstmtui.tui.screens.debugger import DebuggerScreen
def fail(self, pages):
    raise RuntimeError("a mistake in the program")
DebuggerScreen.action_page = fail
sys.exit(main(sys.argv[1:]))
"""
COMPUTES = """
import sys, threading, time
from lstmtui.__main__ import main
from lstmtui.tui.screens.debugger import DebuggerScreen
def stuck(self, pages):
    time.sleep(30)
DebuggerScreen.action_page = stuck
sys.exit(main(sys.argv[1:]))
"""
FAILS_AT_THE_END = """
import sys
from lstmtui.__main__ import main
from lstmtui.tui.screens.debugger import DebuggerScreen
def fail(self):
    raise RuntimeError("a mistake at the end")
DebuggerScreen.on_unmount = fail
sys.exit(main(sys.argv[1:]))
"""
RECORDS = """
import time
from lstmtui.tui.launch import launch
from lstmtui.tui.start import Opening, Start
def work(progress):
    while True:
        progress("LSTM", 1, 2)
        time.sleep(0.001)
launch(Start(opening=Opening("one", work)))
"""
IN_A_SHELL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp("bash", ["bash", "--norc", "--noprofile", "--noediting", "-i"])
"""
DEBUGS = """
import signal, sys
import lstmtui
before = {number: signal.getsignal(number) for number in signal.valid_signals()}
lstmtui.debug(lstmtui.load(sys.argv[1]))
changed = [number for number, handler in before.items() if signal.getsignal(number) != handler]
print("changed:", changed)
"""
DRAWN = "t=0/29(.|\n)*quit"
PAGE_DOWN = "\x1b[6~"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("traces") / "run.trace"
    synthetic("lstm", 30, 4).save(path)
    return str(path)


def opened(saved: str, command: Sequence[str] = ("open",), **options: object) -> Program:
    """The debugger with its first screen drawn."""
    program = Program([*command, saved], (80, 24), **options)  # type: ignore[arg-type]
    program.before = program.attributes  # type: ignore[attr-defined]
    program.wait_for(DRAWN)
    assert 1049 in program.terminal.modes
    return program


def assert_clean(program: Program) -> None:
    """The modes, the style, the keyboard and the line discipline are the usual ones."""
    terminal = program.terminal
    assert terminal.modes == Terminal(80, 24).modes
    assert terminal.screen.cursor.attrs == terminal.screen.default_char
    assert not terminal.screen.cursor.hidden
    assert program.written.rfind(b"\x1b[<u") > program.written.rfind(b"\x1b[>")
    assert len(re.findall(rb"\x1b\[>\d+u", program.written)) <= program.written.count(b"\x1b[<u")
    assert program.attributes == program.before  # type: ignore[attr-defined]


@pytest.mark.clock
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT], ids=lambda s: s.name)
def test_a_signal_leaves_the_terminal_clean(number: signal.Signals, saved: str, within: Within) -> None:
    with opened(saved) as program:
        program.process.send_signal(number)
        with within(2):
            assert program.end() == 128 + number
        assert_clean(program)
        assert "Traceback" not in program.terminal.text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT], ids=lambda s: s.name)
def test_a_signal_while_a_scenario_is_recorded_is_no_traceback(number: signal.Signals) -> None:
    with Program([], (80, 24), program=("-c", RECORDS)) as program:
        program.before = program.attributes  # type: ignore[attr-defined]
        program.wait_for("1 of 2 timesteps")
        program.process.send_signal(number)
        assert program.end() == 128 + number
        assert_clean(program)
        assert "Traceback" not in program.terminal.text
        assert "Error" not in program.terminal.text


def test_the_status_is_the_signals_also_where_something_fails_while_the_app_ends(saved: str) -> None:
    with opened(saved, program=("-c", FAILS_AT_THE_END)) as program:
        program.process.send_signal(signal.SIGTERM)
        assert program.end() == 128 + signal.SIGTERM
        assert "a mistake at the end" in program.terminal.text
        assert_clean(program)


@pytest.mark.clock
def test_a_program_that_is_stuck_is_ended_within_two_seconds(saved: str, within: Within) -> None:
    with opened(saved, program=("-c", COMPUTES)) as program:
        program.send(PAGE_DOWN)
        program.read(quiet=0.2)
        program.process.send_signal(signal.SIGTERM)
        with within(2):
            assert program.end() == 128 + signal.SIGTERM
        assert_clean(program)


@pytest.mark.clock
def test_a_terminal_that_takes_nothing_does_not_hold_the_program(saved: str, within: Within) -> None:
    with opened(saved) as program:
        program.send("l" * 2000 + "h" * 2000)
        program.process.send_signal(signal.SIGHUP)
        with within(3):
            assert program.process.wait(timeout=60) == 128 + signal.SIGHUP


@pytest.mark.clock
def test_the_program_ends_when_its_terminal_goes(saved: str, within: Within) -> None:
    with opened(saved) as program:
        program.hang_up()
        with within(2):
            assert program.process.wait(timeout=60) == 128 + signal.SIGHUP


def test_a_mistake_in_the_program_leaves_the_terminal_clean(saved: str, tmp_path: Path) -> None:
    with opened(saved, program=("-c", FAILS)) as program:
        program.send(PAGE_DOWN)
        assert program.end() == 1
        assert "a mistake in the program" in program.terminal.text
        assert_clean(program)


def test_it_goes_on_after_it_was_stopped_from_outside(saved: str) -> None:
    with opened(saved) as program:
        stops = (signal.SIGSTOP, signal.SIGSTOP, signal.SIGTSTP, signal.SIGSTOP)
        for at, number in enumerate(stops):
            program.process.send_signal(number)
            os.waitid(os.P_PID, program.process.pid, os.WSTOPPED)
            program.read()
            program.terminal.screen.erase_in_display(2)  # what a shell wrote meanwhile
            program.process.send_signal(signal.SIGCONT)
            program.wait_for(rf"t={at}/29(.|\n)*quit")
            program.send("l")
            program.wait_for(f"t={at + 1}/29")
        program.send("q")
        assert program.end() == 0
        assert_clean(program)


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_a_shell_stops_it_and_takes_it_to_the_foreground_again(saved: str) -> None:
    with Program([], (80, 24), {"PS1": "ready> "}, ("-c", IN_A_SHELL)) as program:
        program.wait_for("ready> ")
        program.before = program.attributes  # type: ignore[attr-defined]
        program.send(shlex.join([sys.executable, "-m", "lstmtui", "open", saved]) + "\n")
        program.wait_for(DRAWN)
        group = program.foreground
        for at, number in enumerate((signal.SIGSTOP, signal.SIGSTOP, signal.SIGTSTP)):
            os.killpg(group, number)
            program.wait_for("Stopped(.|\n)*ready> ")
            program.terminal.screen.erase_in_display(2)
            if at:
                os.killpg(group, signal.SIGCONT)  # in the background, where it must not draw
                program.send("sleep 0.5; jobs\n")
                program.wait_for("Stopped(.|\n)*ready> ")
                program.terminal.screen.erase_in_display(2)
            program.send("fg\n")
            program.wait_for(rf"t={at}/29(.|\n)*quit")
            program.send("l")
            program.wait_for(f"t={at + 1}/29")
        program.send("q")
        program.wait_for("ready> ")
        program.send("echo status $?\n")
        program.wait_for("status 0")
        assert_clean(program)


def test_a_python_session_has_its_signals_back(saved: str) -> None:
    with opened(saved, program=("-c", DEBUGS), command=()) as program:
        program.send("q")
        assert program.end() == 0
        assert "changed: []" in program.terminal.text

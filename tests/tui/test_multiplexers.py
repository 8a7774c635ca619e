"""Inside tmux and GNU screen: drawn, walked, resized, copied from, and left."""

from __future__ import annotations

import base64
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from synthetic import synthetic
from terminal import Program

RUN = ("-c", "import os, sys; os.execvp(sys.argv[1], sys.argv[1:])")
"""What starts another program in place of Python."""


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("traces") / "run.trace"
    synthetic("lstm", 30, 4).save(path)
    return str(path)


def debugger(saved: str) -> str:
    return shlex.join([sys.executable, "-m", "lstmtui", "open", saved])


@contextmanager
def in_tmux(saved: str, folder: Path, term: str) -> Iterator[Program]:
    """tmux with a server of its own and no file of the user's."""
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    tmux = ["tmux", "-S", str(folder / "socket"), "-f", str(folder / "tmux.conf")]
    (folder / "tmux.conf").write_text(f"set -g default-terminal {term}\nset -g set-clipboard on\n")
    environment = {"COLORTERM": None, "TMUX": None, "STY": None, "LANG": "C.UTF-8"}
    try:
        with Program([*tmux, "-u", "new-session", debugger(saved)], (100, 32), environment, RUN) as program:
            yield program
    finally:
        subprocess.run([*tmux, "kill-server"], capture_output=True, check=False)


@contextmanager
def in_screen(saved: str, folder: Path, term: str) -> Iterator[Program]:
    """GNU screen with sessions of its own and no file of the user's."""
    if shutil.which("screen") is None:
        pytest.skip("screen is not installed")
    sockets = folder / "sockets"
    sockets.mkdir(mode=0o700)
    (folder / "screenrc").write_text(f"startup_message off\nterm {term}\ndefutf8 on\naltscreen on\n")
    environment = {
        "COLORTERM": "truecolor",
        "TMUX": None,
        "STY": None,
        "LANG": "C.UTF-8",
        "SCREENDIR": str(sockets),
    }
    arguments = ["screen", "-U", "-c", str(folder / "screenrc"), "-S", "lstmtui-test"]
    arguments += shlex.split(debugger(saved))
    try:
        with Program(arguments, (100, 32), environment, RUN) as program:
            yield program
    finally:
        subprocess.run(
            ["screen", "-S", "lstmtui-test", "-X", "quit"],
            env={"SCREENDIR": str(sockets), "PATH": "/usr/bin:/bin:/usr/local/bin"},
            capture_output=True,
            check=False,
        )


@pytest.mark.parametrize(("inside", "term"), [(in_tmux, "tmux-256color"), (in_screen, "screen-256color")])
def test_it_is_drawn_walked_copied_from_resized_and_left(inside, term: str, saved: str, tmp_path) -> None:
    with inside(saved, tmp_path, term) as program:
        program.wait_for("t=0/29(.|\n)*quit")
        assert b"48;5;233" in program.written
        assert b"48;2;" not in program.written
        program.send("lll")
        program.wait_for("t=3/29(.|\n)*c₃ = ")
        program.send("4y")
        program.wait_for("copied h at t=3, 4 numbers")
        copied = re.findall(rb"\x1b\]52;[^;]*;([A-Za-z0-9+/=]+)(?:\x07|\x1b\\)", program.written)
        assert base64.b64decode(copied[-1]).startswith(b"[")
        program.resize(80, 24)
        program.wait_for("t=3/29(.|\n)*5 Step: unit 0 at t=3")
        program.send("q")
        program.end()
        assert "Traceback" not in program.terminal.text

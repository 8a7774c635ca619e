"""Before the screen opens, ssh has the terminal: what it asks is asked, and Ctrl-C leaves."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest
from clock import Within
from remote.sshd import Box, needs_sshd, running
from terminal import Program

ON_A_TERMINAL = (
    "-c",
    "import fcntl, runpy, signal, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    "signal.signal(signal.SIGINT, signal.default_int_handler);"
    "runpy.run_module('lstmtui', run_name='__main__', alter_sys=True)",
)
"""lstmtui with a terminal that belongs to it, which is where ssh asks, and with Ctrl-C as a terminal's shell
leaves it: a job in the background of a script ignores it, and so does what that job starts."""


def opening(target: str, path: str, command: str) -> Program:
    """`lstmtui open` with another PATH."""
    environment: dict[str, str | None] = {"PATH": path, "LSTMTUI_REMOTE_COMMAND": command}
    environment |= dict.fromkeys(("SSH_ASKPASS", "SSH_AUTH_SOCK", "DISPLAY"))
    return Program(["open", target], (100, 30), environment, ON_A_TERMINAL)


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """A server that is not known here, and a key with a passphrase."""
    with running(tmp_path_factory.mktemp("sshd")) as box:
        key, known = box.folder / "user_key", box.folder / "known_hosts"
        change = ["ssh-keygen", "-q", "-p", "-P", "", "-N", "open sesame", "-f", str(key)]
        subprocess.run(change, check=True, timeout=30, stdout=subprocess.DEVNULL)
        known.unlink()
        client = box.folder / "client"
        client.write_text(
            client.read_text().replace("StrictHostKeyChecking yes", "StrictHostKeyChecking ask")
        )
        yield box


@needs_sshd
def test_an_unknown_host_and_a_passphrase_are_asked_about_and_then_the_debugger_opens(
    box: Box, saved: Path
) -> None:
    with opening(f"ssh://box{saved}", box.path, box.command) as program:
        program.wait_for("continue connecting")
        program.send("yes\r")
        program.wait_for("Enter passphrase")
        program.send("open sesame\r")
        program.wait_for("t=0/11(.|\n)*quit")
        assert "sesame" not in program.terminal.text
        program.send("l")
        program.wait_for("t=1/11")
        program.send("q")
        assert program.end() == 0


@needs_sshd
@pytest.mark.parametrize("keys", ["\x03", "no\r"])
def test_whoever_does_not_trust_the_host_is_back_at_the_shell(keys: str, box: Box, saved: Path) -> None:
    (box.folder / "known_hosts").unlink(missing_ok=True)
    with opening(f"ssh://box{saved}", box.path, box.command) as program:
        before = program.attributes
        program.wait_for("continue connecting")
        program.send(keys)
        assert program.end() == (130 if keys == "\x03" else 2)
        assert program.attributes == before
        assert "Traceback" not in program.terminal.text
        assert keys == "\x03" or "Host key verification failed" in program.terminal.text


def fake_ssh(folder: Path, body: str) -> str:
    """A PATH whose ssh is a shell script."""
    ssh = folder / "ssh"
    ssh.write_text(f"#!/bin/sh\n{body}\n")
    ssh.chmod(0o755)
    return f"{folder}:/usr/bin:/bin"


def test_a_password_is_asked_for_on_the_terminal_and_not_echoed(tmp_path: Path, saved: Path) -> None:
    body = (
        'exec 3<>/dev/tty; stty -echo <&3; printf "me@gpu\'s password: " >&3; read word <&3; stty echo <&3;'
        f' [ "$word" = secret ] && exec {sys.executable} -m lstmtui agent'
    )
    with opening(f"ssh://gpu{saved}", fake_ssh(tmp_path, body), "lstmtui agent") as program:
        program.wait_for("me@gpu's password: ")
        program.send("secret\r")
        program.wait_for("t=0/11(.|\n)*quit")
        assert b"secret" not in program.written
        program.send("q")
        assert program.end() == 0


@pytest.mark.clock
def test_ctrl_c_while_it_connects_leaves_at_once_and_no_ssh_behind(tmp_path: Path, within: Within) -> None:
    path = fake_ssh(tmp_path, f"echo $$ > {tmp_path}/pid; echo looking for gpu >&2; exec sleep 60")
    with opening("ssh://gpu/x", path, "lstmtui agent") as program:
        program.wait_for("looking for gpu")
        with within(3):
            program.send("\x03")
            assert program.end() == 130
        assert "Traceback" not in program.terminal.text
    ssh, end = Path("/proc", (tmp_path / "pid").read_text().strip()), monotonic() + 30
    while ssh.exists():
        assert monotonic() < end, "ssh goes on"
        sleep(0.02)


def test_where_there_is_no_ssh_a_sentence_says_so(tmp_path: Path) -> None:
    with opening("ssh://gpu/x", str(tmp_path), "lstmtui agent") as program:
        assert program.end() == 2
        assert "there is no ssh on this machine's PATH; install OpenSSH" in program.terminal.text


@pytest.mark.skipif(shutil.which("ssh") is None, reason="needs OpenSSH's client")
def test_what_ssh_says_of_a_host_that_is_not_there_is_shown() -> None:
    with opening("ssh://no-such-host.invalid/x", "/usr/bin:/bin", "lstmtui agent") as program:
        assert program.end() == 2
        assert "Could not resolve hostname" in program.terminal.text
        assert "ssh could not connect" in program.terminal.text

"""A real OpenSSH server on loopback for the length of a test run, and an `ssh` that finds its way there."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

import pytest

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
missing = [name for name in ("ssh", "ssh-keygen") if shutil.which(name) is None]
needs_sshd = pytest.mark.skipif(
    SSHD is None or bool(missing), reason="needs OpenSSH's server and client: apt-get install openssh-server"
)

_SERVER = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/user_key.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PubkeyAuthentication yes
PermitRootLogin prohibit-password
AcceptEnv LSTMTUI_STATE_DIR
LogLevel ERROR
"""

_CLIENT = """\
Host box
  HostName 127.0.0.1
  Port {port}
  User {user}
  IdentityFile {folder}/user_key
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known_hosts
  StrictHostKeyChecking yes
  SendEnv LSTMTUI_STATE_DIR
  LogLevel ERROR
"""


@dataclass(frozen=True)
class Box:
    """The remote side."""

    folder: Path
    port: int
    command: str
    """What starts the agent there."""

    @property
    def path(self) -> str:
        """A PATH whose `ssh` knows the host `box`."""
        return f"{self.folder}/bin:{os.environ['PATH']}"


@contextmanager
def running(folder: Path) -> Iterator[Box]:
    """A server with keys of its own, of which nothing stays."""
    (folder / "bin").mkdir()
    for name in ("host_key", "user_key"):
        keygen = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(keygen, check=True, timeout=30)
    port = _free_port()
    host_key = " ".join((folder / "host_key.pub").read_text().split()[:2])
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key}\n")
    (folder / "server").write_text(_SERVER.format(port=port, folder=folder))
    (folder / "client").write_text(_CLIENT.format(port=port, folder=folder, user=getpass.getuser()))
    wrapper = folder / "bin" / "ssh"
    wrapper.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {folder}/client "$@"\n')
    wrapper.chmod(0o755)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # without it, sshd of root does not start
    assert SSHD
    server = subprocess.Popen([SSHD, "-D", "-e", "-f", str(folder / "server")], stderr=subprocess.PIPE)
    try:
        _wait_for(port, server)
        yield Box(folder, port, f"{sys.executable} -m lstmtui agent")
    finally:
        server.terminate()
        server.communicate(timeout=10)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    end = monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if server.poll() is not None or monotonic() > end:
                server.kill()
                pytest.fail(f"sshd did not start: {server.communicate()[1].decode(errors='replace')}")
            sleep(0.05)

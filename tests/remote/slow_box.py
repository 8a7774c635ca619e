"""The program on this side of a slow link, and a real sshd on the other."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from remote.relay import DELAY, RATE, Relay, relaying
from remote.sshd import Box, running
from terminal import Program


@dataclass(frozen=True)
class SlowBox:
    """The remote side, and the link to it."""

    box: Box
    relay: Relay

    @property
    def environment(self) -> dict[str, str | None]:
        """Variables of a program that finds its way there."""
        return {
            "PATH": self.box.path,
            "LSTMTUI_REMOTE_COMMAND": f"cd {os.getcwd()} && {self.box.command}",
        }

    def opened(self, path: Path, size: tuple[int, int] = (120, 40), *options: str) -> Program:
        """`lstmtui open ssh://…`: the screen is here, the arrays are there."""
        url = f"ssh://box:{self.relay.port}{path}"
        return Program(["open", url, *options], size, self.environment)

    def shown(self, path: Path, size: tuple[int, int] = (120, 40), *options: str) -> Program:
        """`ssh -t … lstmtui open`: all of it is there, and what it draws comes over the link."""
        command = self.box.command.removesuffix("agent") + " ".join(["open", str(path), *options])
        ssh = ["-t", "-p", str(self.relay.port), "box", f"cd {os.getcwd()} && exec {command}"]
        environment = {**self.environment, "COLORTERM": "truecolor", "SSH": f"{self.box.folder}/bin/ssh"}
        runs = "import os, sys; os.execv(os.environ['SSH'], ['ssh', *sys.argv[1:]])"
        return Program(ssh, size, environment, ("-c", runs))


@contextmanager
def slow_box(folder: Path, delay: float = DELAY, rate: float = RATE) -> Iterator[SlowBox]:
    """A server, and a relay to it whose port ssh trusts as well.

    Args:
        folder: for its files.
        delay: seconds each way.
        rate: bytes a second each way.
    """
    with running(folder) as box, relaying(box.port, delay, rate) as relay:
        key = " ".join((folder / "host_key.pub").read_text().split()[:2])
        with (folder / "known_hosts").open("a") as known:
            known.write(f"[127.0.0.1]:{relay.port} {key}\n")
        yield SlowBox(box, relay)

"""The way to an agent on another machine: the system's own ssh."""

from __future__ import annotations

import shutil

from lstmtui.errors import UserError
from lstmtui.remote.client.connector import ByteStreams
from lstmtui.remote.client.program import REMOTE_COMMAND, ProgramStreams
from lstmtui.remote.client.ssh_target import SshTarget


class SshConnector:
    """ssh to the host of a target.

    Args:
        target: where to.
        remote_command: starts the agent; a line for the shell of that machine.
    """

    def __init__(self, target: SshTarget, remote_command: str = REMOTE_COMMAND) -> None:
        self.name = target.host
        self._target, self._remote_command = target, remote_command
        self._early: ByteStreams | None = None

    def begin(self) -> None:
        """Start ssh for the first time already: it takes as long as importing what speaks over it.

        Raises:
            UserError: there is no ssh.
        """
        self._early = self._start(again=False)

    def arguments(self, *, again: bool) -> list[str]:
        """The command line; no shell of this machine reads it."""
        target = self._target
        user = [] if target.user is None else ["-l", target.user]
        port = [] if target.port is None else ["-p", str(target.port)]
        batch = ["-o", "BatchMode=yes"] if again else []
        return ["ssh", "-T", *batch, *user, *port, "--", target.host, self._remote_command]

    def connect(self, *, again: bool) -> ByteStreams:
        """Start ssh; it asks for passwords and about host keys on the terminal itself."""
        early, self._early = self._early, None
        return early or self._start(again=again)

    def _start(self, *, again: bool) -> ByteStreams:
        program = shutil.which("ssh")
        if program is None:
            raise UserError("there is no ssh on this machine's PATH; install OpenSSH")
        command = [program, *self.arguments(again=again)[1:]]
        return ProgramStreams(command, self.name, again=again, remote_command=self._remote_command)

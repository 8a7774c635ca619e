"""The way to an agent: a program, here the system's own ssh, whose input and output are the link."""

from __future__ import annotations

import shutil
import subprocess
import sys
from codecs import getincrementaldecoder
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from threading import Lock, Thread
from typing import IO, TYPE_CHECKING, Protocol

from lstmtui.errors import UserError
from lstmtui.printable import printable
from lstmtui.remote.target import Target

if TYPE_CHECKING:
    from lstmtui.remote.wire.frames import NoFrames

REMOTE_COMMAND = "lstmtui agent"
NOT_FOUND = 127
"""The status of a shell that knows no such command."""
_SSH_FAILED = 255
_GONE_WITHIN = 2.0
"""Seconds that a program gets to end after its streams have."""
_LAST_LINES = 8


class Streams(Protocol):
    """Two byte streams to an agent."""

    def read(self, most: int) -> bytes:
        """At least one byte; none at the end."""

    def write(self, data: bytes) -> None:
        """Send all bytes; raises OSError where nobody takes them."""

    def began(self) -> None:
        """A first frame has come."""

    def failure(self, error: NoFrames) -> str:
        """Why no frame came, in a sentence."""

    def close(self, wait: float = 0.0) -> None:
        """Let go, after so many seconds in which the other end may do so; a read that waits ends."""


class Link(Protocol):
    """What connects to an agent, as often as it has to."""

    name: str
    """What is connected to."""

    def connect(self, *, again: bool) -> Streams:
        """New streams.

        Args:
            again: not for the first time: nobody can be asked for a password any more.

        Raises:
            UserError: there is no way at all.
        """


class SshLink:
    """ssh to the host of a target.

    Args:
        target: where to.
        remote_command: what starts the agent there; a line for the shell there.
    """

    def __init__(self, target: Target, remote_command: str = REMOTE_COMMAND) -> None:
        self.name = target.host
        self._target, self._remote_command = target, remote_command
        self._begun: Streams | None = None

    def begin(self) -> None:
        """Start ssh for the first time already: it takes as long as importing what speaks over it.

        Raises:
            UserError: there is no ssh.
        """
        self._begun = self._started(again=False)

    def arguments(self, *, again: bool) -> list[str]:
        """The command line; no shell of this machine reads it."""
        target = self._target
        user = [] if target.user is None else ["-l", target.user]
        port = [] if target.port is None else ["-p", str(target.port)]
        batch = ["-o", "BatchMode=yes"] if again else []
        return ["ssh", "-T", *batch, *user, *port, "--", target.host, self._remote_command]

    def connect(self, *, again: bool) -> Streams:
        """Start ssh; it asks for passwords and about host keys on the terminal itself."""
        begun, self._begun = self._begun, None
        return begun or self._started(again=again)

    def _started(self, *, again: bool) -> Streams:
        program = shutil.which("ssh")
        if program is None:
            raise UserError("there is no ssh on this machine's PATH; install OpenSSH")
        command = [program, *self.arguments(again=again)[1:]]
        return ProgramStreams(command, self.name, again=again, remote_command=self._remote_command)


class ProgramLink:
    """A program of this machine as the agent.

    Args:
        command: its arguments.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self.name = command[0]
        self._command = list(command)

    def connect(self, *, again: bool) -> Streams:
        """Start it."""
        return ProgramStreams(self._command, self.name, again=again)


class ProgramStreams:
    """A running program's input and output.

    What it writes to standard error is passed on, made printable, until the first frame; the last lines of
    it are kept for messages.

    Args:
        command: the program and its arguments.
        name: what is connected to.
        again: it must not touch the terminal, which shows something else by now.
        remote_command: what was to be started on the other machine.
    """

    def __init__(
        self, command: Sequence[str], name: str, *, again: bool = False, remote_command: str = REMOTE_COMMAND
    ) -> None:
        self._name, self._remote_command = name, remote_command
        self._passes_on = not again
        self._said: deque[str] = deque(maxlen=_LAST_LINES)
        pipe = subprocess.PIPE
        try:
            self._program = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0, start_new_session=again
            )
        except OSError as error:
            raise UserError(f"{command[0]}: cannot be started: {(error.strerror or '').lower()}") from error
        assert self._program.stdin
        assert self._program.stdout
        assert self._program.stderr
        self._input, self._output = self._program.stdin, self._program.stdout
        self._reading = Lock()
        self._errors = Thread(target=self._pass_on, args=(self._program.stderr,), daemon=True)
        self._errors.start()

    def read(self, most: int) -> bytes:
        """At least one byte; none at the end."""
        with self._reading:
            return b"" if self._output.closed else self._output.read(most) or b""

    def write(self, data: bytes) -> None:
        """Send all bytes."""
        view = memoryview(data)
        while view:
            if self._input.closed:
                raise BrokenPipeError
            view = view[self._input.write(view) or 0 :]

    def began(self) -> None:
        """From now on errors are kept, not shown."""
        self._passes_on = False

    def failure(self, error: NoFrames) -> str:
        """Why no frame came: what the program said, and the status it ended with."""
        status: int | None = None
        with suppress(subprocess.TimeoutExpired):
            status = self._program.wait(_GONE_WITHIN)
            self._errors.join(_GONE_WITHIN)
        said = "; ".join([*self._said, *error.noise.splitlines()[-_LAST_LINES:]])
        said = f": {said}" if said else ""
        if status == NOT_FOUND:
            return (
                f"{self._name}: there is no `{printable(self._remote_command)}`{said}; say where it is with "
                "--remote-command '/path/to/lstmtui agent', or LSTMTUI_REMOTE_COMMAND"
            )
        if status == _SSH_FAILED:
            return f"{self._name}: ssh could not connect{said}"
        how = "" if status is None else f" and ended with status {status}"
        return f"{self._name}: {error}{how}{said}"

    def close(self, wait: float = 0.0) -> None:
        """End the program, which gets some seconds to end by itself."""
        with suppress(OSError):
            self._input.close()
        with suppress(subprocess.TimeoutExpired):
            self._program.wait(wait)
        self._program.terminate()
        try:
            self._program.wait(_GONE_WITHIN)
        except subprocess.TimeoutExpired:
            self._program.kill()
            self._program.wait()
        # Whoever still reads sees the end of it first, unless a child of the program holds it open.
        if self._reading.acquire(timeout=_GONE_WITHIN):
            self._output.close()
            self._reading.release()

    def _pass_on(self, errors: IO[bytes]) -> None:
        decode = getincrementaldecoder("utf-8")("replace").decode
        line = ""
        with errors, suppress(OSError, ValueError):
            while data := errors.read(4096):
                text = printable(decode(data).replace("\r\n", "\n"), lines=True)
                if self._passes_on:
                    sys.stderr.write(text)
                    sys.stderr.flush()
                *whole, line = (line + text)[-4096:].split("\n")
                self._said.extend(part for part in whole if part.strip())
        if line.strip():
            self._said.append(line)

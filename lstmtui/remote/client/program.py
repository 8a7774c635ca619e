"""A running program as the way to an agent: its input and its output are the link."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from codecs import getincrementaldecoder
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from threading import Lock, Thread
from typing import IO, TYPE_CHECKING

from lstmtui.errors import UserError
from lstmtui.printable import printable

if TYPE_CHECKING:
    from lstmtui.remote.wire.frames import NoFrames

REMOTE_COMMAND = "lstmtui agent"
NOT_FOUND = 127
"""The status of a shell that knows no such command."""
_SSH_FAILED = 255
_GONE_WITHIN = 2.0
"""Seconds that a program gets to end after its streams have."""
_LAST_LINES = 8


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
        """Keep errors from now on instead of showing them."""
        self._passes_on = False

    def failure(self, error: NoFrames) -> str:
        """Why no frame came: what the program said, and the status it ended with.

        Raises:
            KeyboardInterrupt: Ctrl-C has ended the program, which shares this one's terminal.
        """
        status: int | None = None
        with suppress(subprocess.TimeoutExpired):
            status = self._program.wait(_GONE_WITHIN)
            self._errors.join(_GONE_WITHIN)
        if status == -signal.SIGINT and threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt
        noise = "; ".join([*self._said, *error.noise.splitlines()[-_LAST_LINES:]])
        noise = f": {noise}" if noise else ""
        if status == NOT_FOUND:
            return (
                f"{self._name}: there is no `{printable(self._remote_command)}`{noise}; say where it is with "
                "--remote-command '/path/to/lstmtui agent', or LSTMTUI_REMOTE_COMMAND"
            )
        if status == _SSH_FAILED:
            return f"{self._name}: ssh could not connect{noise}"
        how = "" if status is None else f" and ended with status {status}"
        return f"{self._name}: {error}{how}{noise}"

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

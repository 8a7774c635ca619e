"""What a client needs of the way to an agent: two byte streams, and whatever opens them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from lstmtui.remote.wire.frames import NoFrames


class ByteStreams(Protocol):
    """Two byte streams to an agent."""

    def read(self, most: int) -> bytes:
        """At least one byte and at most so many; none at the end."""

    def write(self, data: bytes) -> None:
        """Send all bytes; raises OSError where the connection is closed."""

    def began(self) -> None:
        """A first frame has come."""

    def failure(self, error: NoFrames) -> str:
        """Why no frame came, in a sentence."""

    def close(self, wait: float = 0.0) -> None:
        """Let go, after `wait` seconds in which the agent may do so; a read that waits ends."""


class Connector(Protocol):
    """Connects to an agent, as often as necessary."""

    name: str
    """What is connected to."""

    def connect(self, *, again: bool) -> ByteStreams:
        """New streams.

        Args:
            again: not for the first time: nobody can type a password any more.

        Raises:
            UserError: nothing can be started that would connect.
        """

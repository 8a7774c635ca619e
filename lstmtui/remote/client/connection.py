"""One connection to an agent: a thread that reads, a thread that writes, and the news that it has ended."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from threading import Event, Lock, Thread, Timer
from time import monotonic

from lstmtui.errors import UserError
from lstmtui.printable import printable
from lstmtui.remote.client.connector import ByteStreams
from lstmtui.remote.client.dispatcher import Dispatcher
from lstmtui.remote.wire.bounds import ProtocolError
from lstmtui.remote.wire.frames import MAGIC, FrameReader, NoFrames, encode_frame
from lstmtui.remote.wire.messages import PROTOCOL, Bye, FromAgent, Hello, Pong, Refused
from lstmtui.version import __version__

GREETING = 20.0
"""Seconds that a connection made anew has to give a first frame."""
_FAREWELL = 3.0
"""Seconds that an agent gets to end by itself after `Bye`."""
_LOOK = 0.25
_LONGEST_VERSION = 40


class LinkLost(Exception):
    """The connection ended; a new one may work."""


class Connection:
    """Frames over the streams of one link.

    Args:
        streams: closed with the connection.
        dispatcher: gives what is sent, and takes what comes.
        on_update: called by the reading thread after each message that matters to somebody.
    """

    def __init__(self, streams: ByteStreams, dispatcher: Dispatcher, on_update: Callable[[], None]) -> None:
        self._streams, self._dispatcher, self._on_update = streams, dispatcher, on_update
        self.heard = self.began = monotonic()
        self.ended = Event()
        self.problem: UserError | None = None
        """What is wrong with the agent, so that another connection would not help."""
        self._frames = FrameReader(self._read)
        self._write_lock = Lock()

    def greet(self, session: str, timeout: float | None) -> Hello:
        """Exchange first messages.

        Args:
            session: the name of the client's session.
            timeout: seconds; None: as long as it takes, for there may be passwords to be typed.

        Raises:
            LinkLost: there was no first frame.
            UserError: it does not fit.
        """
        watchdog = Timer(timeout, self._streams.close) if timeout is not None else None
        if watchdog is not None:
            watchdog.daemon = True
            watchdog.start()
        try:
            self._frames.begin()
            received = self._frames.next(Hello)
        except NoFrames as error:
            raise LinkLost(self._streams.failure(error)) from None
        except OSError as error:
            raise LinkLost(str(error)) from None
        finally:
            if watchdog is not None:
                watchdog.cancel()
        if received is None:
            raise LinkLost("the link ended")
        self._streams.began()
        hello: Hello = received[0]
        if hello.protocol != PROTOCOL:
            older = "there" if hello.protocol < PROTOCOL else "here"
            version = printable(hello.lstmtui[:_LONGEST_VERSION])
            raise UserError(
                f"lstmtui {version} runs there and {__version__} here, and they do not fit together: "
                f"update the one {older}"
            )
        with suppress(OSError):
            self._streams.write(MAGIC + encode_frame(Hello(__version__, PROTOCOL, session)))
        return hello

    def start(self) -> None:
        """Carry messages until it ends."""
        for work in (self._reading, self._writing):
            Thread(target=work, daemon=True).start()

    def close(self) -> None:
        """End it, as it is."""
        self.ended.set()
        self._streams.close()

    def leave(self) -> None:
        """End it, and tell the agent that nobody will come back."""
        if self._write_lock.acquire(timeout=_LOOK):
            try:
                with suppress(OSError):
                    self._streams.write(encode_frame(Bye()))
            finally:
                self._write_lock.release()
        self._streams.close(_FAREWELL)
        self.ended.set()

    def _read(self, most: int) -> bytes:
        data = self._streams.read(most)
        self.heard = monotonic()
        return data

    def _reading(self) -> None:
        try:
            while not self.ended.is_set() and (received := self._frames.next(FromAgent)) is not None:
                message, size = received
                if isinstance(message, Refused):
                    raise UserError(printable(message.reason))
                if not isinstance(message, Pong) and self._dispatcher.received(message, size):
                    self._on_update()
        except UserError as error:
            self.problem = error
        except (OSError, ValueError) as error:
            # A stream that was closed while it was read; what a message holds has its own handling.
            if not self.ended.is_set() and isinstance(error, ValueError):
                self.problem = ProtocolError(f"the agent sent what cannot be read: {printable(str(error))}")
        finally:
            self.ended.set()

    def _writing(self) -> None:
        with suppress(OSError):
            while not self.ended.is_set():
                data = self._dispatcher.outgoing(self, _LOOK)
                if data and not self.ended.is_set():
                    with self._write_lock:
                        self._streams.write(data)
        # What was taken and not sent is sent again on the next connection.
        self.ended.set()

"""The far end: answers what a client asks, over two byte streams, for as long as somebody is there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from importlib.util import find_spec
from threading import Event, Lock, Thread
from time import monotonic
from typing import Any

from lstmtui import __version__
from lstmtui.errors import Cancelled, UserError
from lstmtui.printable import printable
from lstmtui.remote.desk import Desk, Job, Workshop
from lstmtui.remote.frames import MAGIC, FrameReader, Message, pack_frame
from lstmtui.remote.queue import Asked, RequestQueue
from lstmtui.remote.recordings import remove_leftovers
from lstmtui.remote.requests import PROTOCOL, REQUESTS, Hello
from lstmtui.remote.structure import ProtocolError
from lstmtui.remote.unpacking import unpack
from lstmtui.session.expressions import ExpressionError

SILENCE = 15.0
"""Seconds without a sign of the client after which it is taken to be gone."""
PATIENCE = 2.0
"""Seconds that work which nobody waits for any more gets to stop by itself."""
_TELL_EVERY = 0.1
"""Seconds between two reports of progress."""

Read = Callable[[int], bytes]
Write = Callable[[bytes], object]


class Agent:
    """One connection.

    Args:
        workshop: what runs models.
        read: gives at most so many bytes; none at the end.
        write: sends all bytes, or raises OSError.
        silence: seconds without a sign of the client after which it is taken to be gone.
        on_gone: called once when it is.
    """

    def __init__(
        self,
        workshop: Workshop,
        read: Read,
        write: Write,
        silence: float = SILENCE,
        on_gone: Callable[[], None] | None = None,
    ) -> None:
        self._workshop, self._silence, self._on_gone = workshop, silence, on_gone
        self._frames, self._write = FrameReader(read), write
        self._writing = Lock()
        self._queue = RequestQueue()
        self._desk: Desk | None = None
        self._heard = monotonic()
        self._gone, self._stopped, self._idle = Event(), Event(), Event()
        self._idle.set()
        self._recording = False

    def serve(self) -> None:
        """Answer until the client has gone; what is being recorded then is finished first."""
        self._send(asdict(Hello(__version__, PROTOCOL, torch=find_spec("torch") is not None)), MAGIC)
        Thread(target=self._listen, daemon=True).start()
        Thread(target=self._work, daemon=True).start()
        while not self._gone.wait(0.25):
            if monotonic() - self._heard > self._silence:
                self._gone.set()
        self._queue.close()
        if self._on_gone is not None:
            self._on_gone()
        while self._recording and not self._stopped.is_set() and not self._idle.wait(0.25):
            pass
        self._idle.wait(PATIENCE)

    def hang_up(self, *, stop: bool = False) -> None:
        """Take the client to be gone.

        Args:
            stop: stop a recording too.
        """
        if stop:
            self._stopped.set()
        self._gone.set()

    def _listen(self) -> None:
        try:
            self._frames.begin()
            self._greeted(self._next())
            while not self._gone.is_set():
                self._received(self._next())
        except UserError as error:
            # Whoever sends this can still be told what is wrong with it.
            self._send({"refused": str(error)})
        except (OSError, EOFError, ValueError):
            pass
        finally:
            self._gone.set()

    def _next(self) -> Message:
        got = self._frames.next()
        if got is None:
            raise EOFError
        self._heard = monotonic()
        return got[0]

    def _greeted(self, message: Message) -> None:
        hello: Hello = unpack(Hello, message)
        if hello.protocol != PROTOCOL:
            raise ProtocolError(f"lstmtui {__version__} there does not fit {hello.lstmtui} here: update one")
        remove_leftovers()
        self._desk = Desk(self._workshop, hello.session)

    def _received(self, message: Message) -> None:
        """What needs no work is done at once, the rest in its turn."""
        word = message.get("do")
        if word == "ping":
            self._send({"pong": True})
        elif word == "cancel":
            for number in self._queue.cancel(unpack(list[int], message.get("ids"))):
                self._send({"id": number, "cancelled": True})
        elif word == "bye":
            self._stopped.set()
            self._queue.close()
            if self._desk is not None:
                self._idle.wait(PATIENCE)
                self._desk.leave()
            self._gone.set()  # the process may end from here on
        elif word in REQUESTS:
            number = unpack(int, message.get("id"))
            self._queue.put(Asked(number, unpack(REQUESTS[word], message), message.get("early") is True))
        else:
            raise ProtocolError("the other end asks for what this lstmtui does not know")

    def _work(self) -> None:
        while (asked := self._queue.take()) is not None:
            self._idle.clear()
            try:
                self._send({"id": asked.number, **self._outcome(asked)})
            except Exception as error:  # the answer is too large, or cannot travel; somebody waits for it
                self._send({"id": asked.number, "error": printable(str(error)), "kind": "user"})
            finally:
                self._recording = False
                self._idle.set()

    def _outcome(self, asked: Asked) -> dict[str, Any]:
        """The answer, or why there is none; whatever goes wrong with one request, the next is answered."""
        assert self._desk is not None
        try:
            return {"value": self._desk.do(asked.request, self._job(asked.number))}
        except Cancelled:
            return {"cancelled": True}
        except UserError as error:
            kind = "expression" if isinstance(error, ExpressionError) else "user"
            return {"error": printable(str(error), lines=True), "kind": kind}
        except MemoryError:
            return {"error": "the far end has not enough memory for this", "kind": "user"}
        except Exception as error:
            why = f"the far end could not do this: {type(error).__name__}: {error}"
            return {"error": printable(why, lines=True), "kind": "user"}

    def _job(self, number: int) -> Job:
        told = 0.0

        def check() -> None:
            self._queue.check()
            if self._stopped.is_set() or (self._gone.is_set() and not self._recording):
                raise Cancelled

        def progress(what: str, done: int, total: int) -> None:
            nonlocal told
            check()
            if monotonic() - told > _TELL_EVERY:
                told = monotonic()
                self._send({"id": number, "progress": [what, done, total]})

        def part(data: bytes) -> None:
            check()
            self._send({"id": number, "part": data})

        def recording(place: str) -> None:
            self._recording = True
            self._send({"id": number, "recording": place})

        return Job(progress, part, recording)

    def _send(self, message: Message, before: bytes = b"") -> None:
        """Send a message, unless nobody is there."""
        frame = before + pack_frame(message)
        try:
            with self._writing:
                if not (self._gone.is_set() or self._stopped.is_set()):
                    self._write(frame)
        except (OSError, ValueError):
            self._gone.set()

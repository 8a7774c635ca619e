"""The agent: answers the requests of a client, over two byte streams, until the client has gone."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Lock, Thread
from time import monotonic
from typing import Any

from msgspec import Raw

from lstmtui.errors import Cancelled, UserError
from lstmtui.expressions import ExpressionError
from lstmtui.printable import printable
from lstmtui.remote.agent.recordings import remove_leftovers
from lstmtui.remote.agent.request_handler import ModelRunner, Reporter, RequestHandler
from lstmtui.remote.agent.request_queue import RequestQueue
from lstmtui.remote.wire.bounds import ProtocolError
from lstmtui.remote.wire.frames import MAGIC, FrameReader, encode_frame
from lstmtui.remote.wire.messages import (
    PROTOCOL,
    AboutRequest,
    Ask,
    Bye,
    Cancel,
    ExportChunk,
    Failure,
    FromAgent,
    FromClient,
    Hello,
    Ping,
    Pong,
    RecordingStarted,
    Refused,
    RequestProgress,
    Value,
)
from lstmtui.remote.wire.messages import (
    RequestCancelled as CancelledMessage,
)
from lstmtui.version import __version__

SILENCE = 15.0
"""Seconds without a sign of the client after which it is taken to be gone."""
GRACE = 2.0
"""Seconds that cancelled work gets to stop by itself."""
_TELL_EVERY = 0.1
"""Seconds between two reports of progress."""

Read = Callable[[int], bytes]
Write = Callable[[bytes], object]


class Agent:
    """Serves one connection.

    Args:
        model_runner: what runs models.
        read: gives at most so many bytes; none at the end.
        write: sends all bytes, or raises OSError.
        silence: seconds without a sign of the client after which it is taken to be gone.
        on_gone: called once when it is.
    """

    def __init__(
        self,
        model_runner: ModelRunner,
        read: Read,
        write: Write,
        silence: float = SILENCE,
        on_gone: Callable[[], None] | None = None,
    ) -> None:
        self._model_runner, self._silence, self._on_gone = model_runner, silence, on_gone
        self._frames, self._write = FrameReader(read), write
        self._writing = Lock()
        self._queue = RequestQueue()
        self._handler: RequestHandler | None = None
        self._heard = monotonic()
        self._gone, self._stopped, self._idle = Event(), Event(), Event()
        self._idle.set()
        self._recording = False

    def serve(self) -> None:
        """Answer until the client has gone; what is being recorded then is finished first."""
        self._send(Hello(__version__, PROTOCOL), MAGIC)
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
        self._idle.wait(GRACE)

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
            self._greeted(self._next(Hello))
            while not self._gone.is_set():
                self._received(self._next(FromClient))
        except UserError as error:
            # The client may still be able to say what is wrong with it.
            self._send(Refused(str(error)))
        except (OSError, EOFError, ValueError):
            pass
        finally:
            self._gone.set()

    def _next(self, annotation: Any) -> Any:
        received = self._frames.next(annotation)
        if received is None:
            raise EOFError
        self._heard = monotonic()
        return received[0]

    def _greeted(self, hello: Hello) -> None:
        if hello.protocol != PROTOCOL:
            raise ProtocolError(f"lstmtui {__version__} there does not fit {hello.lstmtui} here: update one")
        remove_leftovers()
        self._handler = RequestHandler(self._model_runner, hello.session)

    def _received(self, message: FromClient) -> None:
        """What needs no work is done at once, the rest in its turn."""
        match message:
            case Ping():
                self._send(Pong())
            case Cancel(ids):
                for number in self._queue.cancel(ids):
                    self._send(CancelledMessage(number))
            case Bye():
                self._stopped.set()
                self._queue.close()
                if self._handler is not None:
                    self._idle.wait(GRACE)
                    self._handler.leave()
                self._gone.set()  # the process may end from here on
            case Ask():
                self._queue.put(message)

    def _work(self) -> None:
        while (ask := self._queue.take()) is not None:
            self._idle.clear()
            try:
                self._send(self._outcome(ask))
            except Exception as error:  # the answer is too large, or cannot travel; somebody waits for it
                self._send(Failure(ask.id, printable(str(error))))
            finally:
                self._recording = False
                self._idle.set()

    def _outcome(self, ask: Ask) -> AboutRequest:
        """The answer, or why there is none; whatever goes wrong with one request, the next is answered."""
        assert self._handler is not None
        try:
            return Value(ask.id, Raw(self._handler.answer(ask.request, self._reporter(ask.id))))
        except Cancelled:
            return CancelledMessage(ask.id)
        except UserError as error:
            reason = printable(str(error), lines=True)
            is_of_expression = isinstance(error, ExpressionError)
            return Failure(ask.id, reason, "expression" if is_of_expression else "user")
        except MemoryError:
            return Failure(ask.id, "the remote side has not enough memory for this")
        except Exception as error:
            why = f"the agent could not do this: {type(error).__name__}: {error}"
            return Failure(ask.id, printable(why, lines=True))

    def _reporter(self, number: int) -> Reporter:
        reported = 0.0

        def check() -> None:
            self._queue.check()
            if self._stopped.is_set() or (self._gone.is_set() and not self._recording):
                raise Cancelled

        def progress(activity: str, done: int, total: int) -> None:
            nonlocal reported
            check()
            if monotonic() - reported > _TELL_EVERY:
                reported = monotonic()
                self._send(RequestProgress(number, activity, done, total))

        def part(data: bytes) -> None:
            check()
            self._send(ExportChunk(number, data))

        def recording(path: str) -> None:
            self._recording = True
            self._send(RecordingStarted(number, path))

        return Reporter(progress, part, recording)

    def _send(self, message: Hello | FromAgent, before: bytes = b"") -> None:
        """Send a message, unless the client is gone."""
        frame = before + encode_frame(message)
        try:
            with self._writing:
                if not (self._gone.is_set() or self._stopped.is_set()):
                    self._write(frame)
        except (OSError, ValueError):
            self._gone.set()

"""A request that was made and whose answer has not come yet."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from msgspec import Raw, structs

from lstmtui.errors import Cancelled, UserError
from lstmtui.expressions import ExpressionError
from lstmtui.printable import printable
from lstmtui.remote.client.answer_cache import Reply
from lstmtui.remote.client.query_request import CacheableRequest
from lstmtui.remote.wire import messages
from lstmtui.remote.wire.bounds import ProtocolError
from lstmtui.remote.wire.messages import AboutRequest, Ask, Request

_ERRORS: dict[str, type[UserError]] = {"user": UserError, "expression": ExpressionError}


@dataclass(eq=False)
class PendingRequest:
    """A request without a reply; it is sent again if the link is lost before the reply arrives."""

    number: int
    request: Request
    take: Callable[[Raw], Any]
    """Decodes the answer and checks it."""
    cacheable: CacheableRequest | None = None
    """The same with its key, if the answer is kept."""
    early: bool = False
    """Nobody waits for it yet."""
    waiting: int = 0
    """Threads that wait for it."""
    size: int = 0
    """About how many bytes the answer will have on the wire."""
    sent: bool = False
    requested: float = field(default_factory=monotonic)
    """When somebody last wanted it."""
    progress: tuple[str, int, int] | None = None
    """What is being done, how far it is, and of how much; None before the first report."""
    recorded_at: str = ""
    """Where it is being recorded, if it is."""
    parts: deque[bytes] | None = None
    """Parts of a file that have arrived; None for requests that are not answered by a file."""
    arrived: int = 0
    """Bytes of such parts."""
    reply: Reply | None = None

    def receive(self, message: AboutRequest) -> None:
        """Take a message about this request: the reply, or something on the way to it."""
        match message:
            case messages.Value(_, value):
                self.reply = self._decoded(value)
            case messages.Failure(_, error, kind):
                self.reply = Reply(error=_ERRORS[kind](printable(error, lines=True)))
            case messages.RequestCancelled():
                self.reply = Reply(error=Cancelled())
            case messages.RequestProgress(_, activity, done, total):
                self.progress = (printable(activity, lines=True), done, total)
            case messages.RecordingStarted(_, path):
                self.recorded_at = printable(path, lines=True)
            case messages.ExportChunk(_, data) if self.parts is not None:
                self.parts.append(data)
                self.arrived += len(data)

    def _decoded(self, value: Raw) -> Reply:
        try:
            return Reply(self.take(value))
        except UserError as error:
            return Reply(error=error)
        except (ArithmeticError, LookupError, MemoryError, TypeError, ValueError):
            return Reply(error=ProtocolError("the agent sent an answer that makes no sense"))

    @property
    def ask(self) -> Ask:
        """The message to send: an export goes on after the bytes that have arrived."""
        request = self.request
        if isinstance(request, messages.ExportRequest) and self.arrived:
            request = structs.replace(request, offset=self.arrived)
        return Ask(self.number, request, self.early)

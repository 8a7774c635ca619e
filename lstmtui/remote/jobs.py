"""What a client waits for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from lstmtui.errors import Cancelled, UserError
from lstmtui.printable import printable
from lstmtui.remote.cache import Answered
from lstmtui.remote.frames import Message
from lstmtui.remote.questions import Question
from lstmtui.remote.structure import ProtocolError
from lstmtui.remote.unpacking import Receiving, unpack
from lstmtui.session.expressions import ExpressionError

_ERRORS: dict[str, type[UserError]] = {"user": UserError, "expression": ExpressionError}
_TEXTS = Receiving(lambda text: printable(text, lines=True))


@dataclass(eq=False)
class Job:
    """One request until it is answered; it is sent again where the link was lost before that."""

    number: int
    message: Message
    take: Callable[[Any], Any]
    question: Question | None = None
    """What is asked, if the answer is kept."""
    early: bool = False
    """Nobody waits for it yet."""
    waiting: int = 0
    """Threads that wait for it."""
    size: int = 0
    """About how many bytes the answer will have on the wire."""
    sent: bool = False
    asked: float = field(default_factory=monotonic)
    """When it was last asked."""
    progress: tuple[str, int, int] | None = None
    """How far it is, if that is news."""
    place: str = ""
    """Where it is being recorded, if it is."""
    parts: deque[bytes] | None = None
    """Parts of a file that have arrived."""
    arrived: int = 0
    """Bytes of such parts."""
    answered: Answered | None = None

    def receive(self, message: Message) -> None:
        """A message about this job: the answer, or something on the way to it."""
        try:
            if "value" in message:
                self.answered = Answered(self.take(message["value"]))
            elif "error" in message:
                kind = _ERRORS.get(str(message.get("kind")), UserError)
                self.answered = Answered(error=kind(unpack(str, message["error"], _TEXTS)))
            elif "cancelled" in message:
                self.answered = Answered(error=Cancelled())
            elif "progress" in message:
                self.progress = unpack(tuple[str, int, int], message["progress"], _TEXTS)
            elif "recording" in message:
                self.place = unpack(str, message["recording"], _TEXTS)
            elif "part" in message and self.parts is not None:
                part: bytes = unpack(bytes, message["part"])
                self.parts.append(part)
                self.arrived += len(part)
        except UserError as error:
            self.answered = Answered(error=error)
        except (ValueError, TypeError, OverflowError, MemoryError):
            self.answered = Answered(error=ProtocolError("the far end sent an answer that makes no sense"))

    @property
    def wire(self) -> Message:
        """The request as it is sent, from where its answer is here."""
        message = {"id": self.number, **self.message}
        if self.early:
            message["early"] = True
        if self.arrived:
            message["offset"] = self.arrived
        return message

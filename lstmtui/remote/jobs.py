"""What a client waits for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from msgspec import Raw, structs

from lstmtui.errors import Cancelled, UserError
from lstmtui.printable import printable
from lstmtui.remote.cache import Answered
from lstmtui.remote.questions import Question
from lstmtui.remote.wire import messages
from lstmtui.remote.wire.bounds import ProtocolError
from lstmtui.remote.wire.messages import AboutRequest, Ask, Request
from lstmtui.session.expressions import ExpressionError

_ERRORS: dict[str, type[UserError]] = {"user": UserError, "expression": ExpressionError}


@dataclass(eq=False)
class Job:
    """One request until it is answered; it is sent again where the link was lost before that."""

    number: int
    request: Request
    take: Callable[[Raw], Any]
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

    def receive(self, message: AboutRequest) -> None:
        """A message about this job: the answer, or something on the way to it."""
        match message:
            case messages.Value(_, value):
                self.answered = self._answered(value)
            case messages.Failure(_, error, kind):
                self.answered = Answered(error=_ERRORS[kind](printable(error, lines=True)))
            case messages.Cancelled():
                self.answered = Answered(error=Cancelled())
            case messages.Progress(_, activity, done, total):
                self.progress = (printable(activity, lines=True), done, total)
            case messages.Recording(_, path):
                self.place = printable(path, lines=True)
            case messages.Part(_, data) if self.parts is not None:
                self.parts.append(data)
                self.arrived += len(data)

    def _answered(self, value: Raw) -> Answered:
        try:
            return Answered(self.take(value))
        except UserError as error:
            return Answered(error=error)
        except (ArithmeticError, LookupError, MemoryError, TypeError, ValueError):
            return Answered(error=ProtocolError("the far end sent an answer that makes no sense"))

    @property
    def ask(self) -> Ask:
        """The request as it is sent: an export from where its bytes are here."""
        request = self.request
        if isinstance(request, messages.Export) and self.arrived:
            request = structs.replace(request, offset=self.arrived)
        return Ask(self.number, request, self.early)

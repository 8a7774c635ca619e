"""What an agent opened: checked, and opened again by every agent that comes after it."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Raw, structs

from lstmtui.errors import UserError
from lstmtui.printable import printable
from lstmtui.remote.client.pending_request import PendingRequest
from lstmtui.remote.client.remote_arrays import LONGEST_WORD
from lstmtui.remote.wire.bounds import ProtocolError
from lstmtui.remote.wire.encoding import decode, map_texts
from lstmtui.remote.wire.messages import AboutRequest, Open
from lstmtui.remote.wire.references import Opened
from lstmtui.trace.growth import LIVE_STATE

NUMBER = 0
"""The number of the request by which a new agent opens again what was opened."""


class Reopening(PendingRequest):
    """The request that goes first to every new agent; its failure is the end of the session.

    Args:
        target: what was opened.
        opened: what came of it.
        on_failure: called where the new agent opens something else, or nothing.
    """

    def __init__(self, target: Open, opened: Opened, on_failure: Callable[[UserError], None]) -> None:
        def take(value: Raw) -> None:
            if decode(str | Opened, value) != opened.token and opened.state != LIVE_STATE:
                raise UserError("what was opened has been replaced; open it again")

        super().__init__(NUMBER, structs.replace(target, token=opened.token, wait=False), take)
        self.target = target
        self.sent = True
        self._on_failure = on_failure

    def receive(self, message: AboutRequest) -> None:
        """Take a message about this request."""
        super().receive(message)
        if self.reply is not None and isinstance(self.reply.error, UserError):
            self._on_failure(self.reply.error)


def checked(opened: Opened) -> Opened:
    """What was opened, safe to show.

    Raises:
        ProtocolError: it has no model, or a text that would fill the screen.
    """
    is_short = all(len(text) <= LONGEST_WORD for text in (*opened.models, opened.token, opened.state))
    if not (opened.models and is_short):
        raise ProtocolError("what the agent opened has no model, or names that are too long")
    safe: Opened = map_texts(opened, shown)
    if len(safe.models) != len(opened.models):
        raise ProtocolError("what the agent opened has two models of one name")
    return safe


def shown(text: str) -> str:
    """A text without what a terminal would act on, lines kept."""
    return printable(text, lines=True)

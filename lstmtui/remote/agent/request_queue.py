"""The requests that an agent still has to answer: urgent ones go before prefetched ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from threading import Condition

from lstmtui.errors import Cancelled
from lstmtui.remote.wire.bounds import ProtocolError
from lstmtui.remote.wire.messages import Ask

MOST_REQUESTS = 4096
"""Requests that wait at once."""


class RequestQueue:
    """Requests between the thread that reads them and the one that answers them."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._urgent: deque[Ask] = deque()
        self._early: deque[Ask] = deque()
        self._working: int | None = None
        self._cancelled = False
        self._closed = False

    def put(self, ask: Ask) -> None:
        """Add a request.

        Raises:
            ProtocolError: too many wait already.
        """
        with self._changed:
            if len(self._urgent) + len(self._early) >= MOST_REQUESTS:
                raise ProtocolError("there are too many requests at once")
            (self._early if ask.prefetch else self._urgent).append(ask)
            self._changed.notify_all()

    def take(self) -> Ask | None:
        """The next request, which is then being worked on; None when the queue is closed."""
        with self._changed:
            self._working = None
            while not (self._urgent or self._early or self._closed):
                self._changed.wait()
            if self._closed:
                return None
            ask = (self._urgent or self._early).popleft()
            self._working, self._cancelled = ask.id, False
            return ask

    def cancel(self, numbers: Collection[int]) -> list[int]:
        """Forget requests; the numbers of those that had not begun."""
        with self._changed:
            waiting = [ask.id for ask in (*self._urgent, *self._early)]
            self._urgent = deque(ask for ask in self._urgent if ask.id not in numbers)
            self._early = deque(ask for ask in self._early if ask.id not in numbers)
            self._cancelled = self._cancelled or self._working in numbers
            return [number for number in waiting if number in numbers]

    def close(self) -> None:
        """There will be no more work."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def check(self) -> None:
        """Stop the running work where it was cancelled.

        Raises:
            Cancelled: it was cancelled.
        """
        if self._cancelled:
            raise Cancelled

"""The requests an agent has still to answer: what somebody waits for goes before what may be wanted soon."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from threading import Condition

from lstmtui.errors import Cancelled
from lstmtui.remote.requests import Request
from lstmtui.remote.structure import ProtocolError

MOST_REQUESTS = 4096
"""Requests that wait at once."""


@dataclass(frozen=True, eq=False)
class Asked:
    """A request with its number."""

    number: int
    request: Request
    prefetch: bool = False
    """Nobody waits for it yet."""


class RequestQueue:
    """Requests between the thread that reads them and the one that answers them."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._urgent: deque[Asked] = deque()
        self._early: deque[Asked] = deque()
        self._working: int | None = None
        self._cancelled = False
        self._closed = False

    def put(self, asked: Asked) -> None:
        """Add a request.

        Raises:
            ProtocolError: too many wait already.
        """
        with self._changed:
            if len(self._urgent) + len(self._early) >= MOST_REQUESTS:
                raise ProtocolError("there are too many requests at once")
            (self._early if asked.prefetch else self._urgent).append(asked)
            self._changed.notify_all()

    def take(self) -> Asked | None:
        """The next request, which is then being worked on; None when the queue is closed."""
        with self._changed:
            self._working = None
            while not (self._urgent or self._early or self._closed):
                self._changed.wait()
            if self._closed:
                return None
            asked = (self._urgent or self._early).popleft()
            self._working, self._cancelled = asked.number, False
            return asked

    def cancel(self, numbers: list[int]) -> list[int]:
        """Forget requests; the numbers of those that had not begun."""
        with self._changed:
            waiting = [asked.number for asked in (*self._urgent, *self._early)]
            self._urgent = deque(a for a in self._urgent if a.number not in numbers)
            self._early = deque(a for a in self._early if a.number not in numbers)
            self._cancelled = self._cancelled or self._working in numbers
            return [number for number in waiting if number in numbers]

    def close(self) -> None:
        """There will be no more work."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def check(self) -> None:
        """Stop the work in hand where nobody wants it any more.

        Raises:
            Cancelled: it was cancelled.
        """
        if self._cancelled:
            raise Cancelled

"""Carries requests and replies between the threads that ask and the threads of the connection."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from threading import Condition
from time import monotonic
from typing import Any

from msgspec import Raw

from lstmtui.errors import Cancelled, UserError
from lstmtui.remote.client.answer_cache import AnswerCache, Reply
from lstmtui.remote.client.pending_request import PendingRequest
from lstmtui.remote.client.prefetch import Prefetch
from lstmtui.remote.client.query_request import CacheableRequest, QueryRequest
from lstmtui.remote.client.send_budget import MOST_EARLY, AnswerSizes, is_stale, next_urgent
from lstmtui.remote.wire.frames import encode_frame
from lstmtui.remote.wire.messages import AboutRequest, Cancel, Ping, Request

PING_EVERY = 2.0
"""Seconds."""
_GATHER = 0.001
"""Seconds in which the requests of one drawing of the screen are gathered for one write."""
_PROGRESS_EVERY = 0.1
_MOST_PARTS = 256

Progress = Callable[[str, int, int], None]


class Dispatcher:
    """The requests that are pending, by number, and the answers that are kept, by key."""

    def __init__(self) -> None:
        self.changed = Condition()
        """Guards the state of this object; notified of every change."""
        self.reopening: PendingRequest | None = None
        """Goes first on every new connection."""
        self.replies_of_connection = 0
        self.failure: UserError | None = None
        """Why there will be no more answers; None while there may be."""
        self._cache = AnswerCache()
        self._prefetch = Prefetch()
        self._pending: dict[int, PendingRequest] = {}
        self._by_key: dict[Any, PendingRequest] = {}
        self._sizes = AnswerSizes()
        self._cancelled: list[int] = []
        self._number = 0
        self._epoch = 0
        self._pinged = monotonic()
        self._connection: object = None

    def note(self, query: QueryRequest) -> None:
        """Note which query was asked, so that the next ones can be prefetched."""
        with self.changed:
            self._prefetch.note(query)
            self.changed.notify_all()

    def reply_now(self, cacheable: CacheableRequest) -> Reply | None:
        """The reply if it is kept; else the request is made."""
        with self.changed:
            reply = self._cache.get(cacheable.key)
            if reply is None:
                self._request(cacheable)
            return reply

    def answer(self, cacheable: CacheableRequest) -> Any:
        """The answer, waited for.

        Raises:
            UserError: there is none.
            Cancelled: `cancel` was called.
        """
        with self.changed:
            reply = self._cache.get(cacheable.key)
            pending = None if reply else self._request(cacheable)
        return self.wait(pending) if pending else reply.unwrap()  # type: ignore[union-attr]

    def submit(self, request: Request, take: Callable[[Raw], Any], *, parts: bool = False) -> PendingRequest:
        """Make a request whose answer is not kept.

        Args:
            request: what is wanted.
            take: decodes the answer and checks it.
            parts: whether parts of a file come before the answer.
        """
        with self.changed:
            pending = self._add(request, take)
            if parts:
                pending.parts = deque()
            return pending

    def wait(
        self,
        pending: PendingRequest,
        progress: Progress | None = None,
        part: Callable[[bytes], object] | None = None,
    ) -> Any:
        """The answer to a request.

        Args:
            pending: the request.
            progress: called with how far it is, and now and then while it goes on; may raise to stop it.
            part: given the parts of a file as they come.

        Raises:
            UserError: there is none.
            Cancelled: `cancel` was called.
        """
        with self.changed:
            epoch = self._epoch
            pending.waiting += 1
        try:
            while True:
                with self.changed:
                    self._await(pending, epoch)
                    parts = list(pending.parts or ())
                    if pending.parts:
                        pending.parts.clear()
                        self.changed.notify_all()
                    reply, report = pending.reply, pending.progress or ("", 0, 1)
                for data in parts:
                    if part is not None:
                        part(data)
                if reply is not None:
                    return reply.unwrap()
                if progress is not None:
                    progress(*report)
        except BaseException:
            with self.changed:
                self._drop(pending)
            raise
        finally:
            with self.changed:
                pending.waiting -= 1

    def cancel(self) -> None:
        """Make every thread that waits give up."""
        with self.changed:
            self._epoch += 1
            self.changed.notify_all()

    def fail(self, error: UserError | None) -> None:
        """Set why there will be no more replies; None: there may be replies again."""
        with self.changed:
            self.failure = error
            self.changed.notify_all()

    def restart(self, connection: object) -> None:
        """Begin with a new agent, which knows of nothing; messages go to its connection only."""
        with self.changed:
            self._connection = connection
            self.replies_of_connection = 0
            self._cancelled = []
            self._prefetch.forget()
            for pending in [*self._pending.values(), *([self.reopening] if self.reopening else [])]:
                pending.sent, pending.reply = False, None
            for pending in [pending for pending in self._pending.values() if pending.early]:
                self._forget(pending)
            self.changed.notify_all()

    def received(self, message: AboutRequest, size: int) -> bool:
        """Take a message; whether somebody waits for what it says."""
        with self.changed:
            pending = self._pending.get(message.id)
            if message.id == 0 and self.reopening is not None:
                self.reopening.receive(message)
            if pending is None or self.failure is not None:
                # After a failure, replies may be about another trace than the one that was opened.
                self.changed.notify_all()
                return False
            pending.receive(message)
            while pending.parts is not None and len(pending.parts) > _MOST_PARTS and pending.waiting:
                self.changed.wait(1.0)
            if pending.reply is not None:
                self._forget(pending)
                self.replies_of_connection += 1
                cacheable = pending.cacheable
                if cacheable is not None and not isinstance(pending.reply.error, Cancelled):
                    self._cache.put(cacheable.key, pending.reply)
                    self._sizes.learn(cacheable.name, size)
            self.changed.notify_all()
            return True

    def outgoing(self, connection: object, timeout: float) -> bytes:
        """What a connection is to send now; empty where nothing came up within `timeout` seconds."""
        with self.changed:
            data = self._gathered(connection)
            if not data:
                self.changed.wait(timeout)
                # The requests of one drawing of the screen come one by one; they go out together.
                self.changed.wait(_GATHER)
                data = self._gathered(connection)
            return data

    def _await(self, pending: PendingRequest, epoch: int) -> None:
        """Wait a little, unless there is something to do already."""
        if pending.reply is None and not pending.parts:
            if self._epoch != epoch:
                raise Cancelled
            if self.failure is not None:
                raise self.failure
            self.changed.wait(_PROGRESS_EVERY)

    def _request(self, cacheable: CacheableRequest, *, early: bool = False) -> PendingRequest:
        pending = self._by_key.get(cacheable.key)
        if pending is None:
            pending = self._add(cacheable.request, cacheable.take, cacheable, early)
            self._by_key[cacheable.key] = pending
        pending.early, pending.requested = pending.early and early, monotonic()
        return pending

    def _add(
        self,
        request: Request,
        take: Callable[[Raw], Any],
        cacheable: CacheableRequest | None = None,
        early: bool = False,
    ) -> PendingRequest:
        self._number += 1
        size = self._sizes.estimate(cacheable.name) if cacheable else 0
        pending = PendingRequest(self._number, request, take, cacheable, early, size=size)
        self._pending[pending.number] = pending
        self.changed.notify_all()
        return pending

    def _drop(self, pending: PendingRequest) -> None:
        """Give a request up, unless somebody else waits for it; the agent is told if it knows of it."""
        if pending.reply is None and pending.waiting <= 1 and pending.number in self._pending:
            self._forget(pending)
            if pending.sent:
                self._cancelled.append(pending.number)
                self.changed.notify_all()

    def _forget(self, pending: PendingRequest) -> None:
        self._pending.pop(pending.number, None)
        if pending.cacheable is not None:
            self._by_key.pop(pending.cacheable.key, None)

    def _gathered(self, connection: object) -> bytes:
        """The frames that may go now: cancellations and pings, what is waited for, what is fetched ahead."""
        if connection is not self._connection:
            return b""
        frames = []
        if self._cancelled:
            frames.append(encode_frame(Cancel(tuple(self._cancelled))))
            self._cancelled = []
        if monotonic() - self._pinged > PING_EVERY:
            self._pinged = monotonic()
            frames.append(encode_frame(Ping()))
        if self.reopening is not None and not self.reopening.sent:
            self.reopening.sent = True
            frames.append(encode_frame(self.reopening.ask))
        frames += [encode_frame(pending.ask) for pending in (*self._urgent(), *self._early())]
        return b"".join(frames)

    def _urgent(self) -> list[PendingRequest]:
        """The requests that somebody waits for, as many as may be under way at once; they count as sent."""
        for pending in [pending for pending in self._pending.values() if is_stale(pending)]:
            self._forget(pending)
        sending = next_urgent(self._pending.values())
        for pending in sending:
            pending.sent = True
        return sending

    def _early(self) -> list[PendingRequest]:
        """What may be wanted soon, while nobody waits for anything."""
        if self.failure is not None or any(not pending.early for pending in self._pending.values()):
            return []
        room = MOST_EARLY - sum(pending.size for pending in self._pending.values())
        sending: list[PendingRequest] = []
        for query in self._prefetch.predicted() if room > 0 else ():
            cacheable = query.cacheable
            if cacheable.key in self._by_key or cacheable.key in self._cache:
                continue
            pending = self._request(cacheable, early=True)
            pending.sent = True
            sending.append(pending)
            room -= pending.size
            if room <= 0:
                break
        return sending

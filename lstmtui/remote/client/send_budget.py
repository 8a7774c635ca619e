"""How many requests may be under way at once, so that urgent ones do not wait behind prefetched ones."""

from __future__ import annotations

from collections.abc import Iterable
from time import monotonic

from lstmtui.remote.client.pending_request import PendingRequest

MOST_URGENT, MOST_EARLY = 64 << 10, 16 << 10
"""Bytes of answers that may be on their way at once, for what is waited for and for what may be wanted soon:
at 2 Mbit/s 16 KiB delay an answer by 65 ms."""
STALE = 2.0
"""Seconds after which a request that nobody waits for, neither sent nor repeated, is dropped."""
_FIRST_GUESS = 512
"""Bytes of an answer to a query that was never made before."""


class AnswerSizes:
    """What the answers to each query take on the wire, learnt from those that came."""

    def __init__(self) -> None:
        self._sizes: dict[str, float] = {}

    def learn(self, name: str, size: int) -> None:
        """Note the size in bytes of an answer to a query of this name."""
        self._sizes[name] = 0.7 * self._sizes.get(name, size) + 0.3 * size

    def estimate(self, name: str) -> int:
        """About how many bytes the next answer has."""
        return int(self._sizes.get(name, _FIRST_GUESS))


def is_stale(pending: PendingRequest) -> bool:
    """Whether an unsent request is of no use any more: nobody waits for it, and nobody repeated it."""
    unwanted = pending.cacheable is not None and not pending.waiting
    return not pending.sent and unwanted and monotonic() - pending.requested > STALE


def next_urgent(pending: Iterable[PendingRequest]) -> list[PendingRequest]:
    """The unsent requests to send now: what is waited for, then what was wanted last, as far as it fits."""
    requests = list(pending)
    unsent = [p for p in requests if not p.sent]
    unsent.sort(key=lambda p: (not (p.waiting or p.cacheable is None), -p.requested))
    room = MOST_URGENT - sum(p.size for p in requests if p.sent and not p.early)
    fitting = []
    for request in unsent:
        if request.size > room and room < MOST_URGENT and not request.waiting:
            break
        room -= request.size
        fitting.append(request)
    return fitting

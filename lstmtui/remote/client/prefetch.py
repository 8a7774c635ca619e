"""What will be wanted soon: the queries of the latest timestep, in the direction of walking."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field

from lstmtui.remote.client.query_request import QueryRequest

AHEAD = 16
"""Timesteps that are fetched ahead of a walk."""
_AFTER_A_JUMP = 4
_MOST_WALKS = 4
_MOST_PAGES = 64
_MOST_FETCHED = 10_000


@dataclass
class _Walk:
    """The queries about one run."""

    t: int
    stride: int = 1
    ahead: int = _AFTER_A_JUMP
    current: dict[Hashable, QueryRequest] = field(default_factory=dict)
    """Those that depend on t, at the latest timestep."""
    pages: OrderedDict[Hashable, tuple[QueryRequest, int]] = field(default_factory=OrderedDict)
    """The latest page of those that have one, and the width of its full pages."""
    fetched: set[tuple[Hashable, int]] = field(default_factory=set)
    """The queries that were fetched ahead, each with its timestep."""

    def move(self, t: int) -> None:
        """Take note that the cursor is at another timestep."""
        stride = t - self.t
        steady = abs(stride) == 1 or stride == self.stride
        self.stride, self.ahead = (stride, AHEAD) if steady else (1, _AFTER_A_JUMP)
        self.t, self.current = t, {}


class Prefetch:
    """Watches the queries of sessions, and predicts the next ones."""

    def __init__(self) -> None:
        self._walks: OrderedDict[Hashable, _Walk] = OrderedDict()

    def note(self, query: QueryRequest) -> None:
        """Note a query, whether or not its answer is in the cache."""
        runs = (query.place.model, query.runs)
        walk = self._walks.setdefault(runs, _Walk(query.t))
        self._walks.move_to_end(runs)
        if len(self._walks) > _MOST_WALKS:
            self._walks.popitem(last=False)
        if query.t != walk.t:
            walk.move(query.t)
        if query.depends_on_t:
            walk.current[query.shape] = query
        elif (page := _page(query)) is not None:
            shape = query.page(0, 0).shape
            width = walk.pages[shape][1] if shape in walk.pages else 0
            walk.pages[shape] = (query, max(width, page[1] - page[0]))
            walk.pages.move_to_end(shape)
            if len(walk.pages) > _MOST_PAGES:
                walk.pages.popitem(last=False)

    def forget(self) -> None:
        """Note that no answer is on its way any more."""
        for walk in self._walks.values():
            walk.fetched.clear()

    def predicted(self) -> Iterator[QueryRequest]:
        """The next queries, the nearest first; each one that is taken counts as fetched."""
        latest = next(reversed(self._walks.values()), None)
        for walk in reversed(self._walks.values()):  # a run that is compared walks along
            if latest is not None and walk.t == latest.t:
                yield from _predicted(walk)


def _predicted(walk: _Walk) -> Iterator[QueryRequest]:
    if len(walk.fetched) > _MOST_FETCHED:
        walk.fetched.clear()
    for distance in range(1, walk.ahead + 1):
        t = walk.t + distance * walk.stride
        for shape, query in walk.current.items():
            if 0 <= t <= query.last_t and (shape, t) not in walk.fetched:
                yield query.at(t)
                walk.fetched.add((shape, t))
        if distance == _AFTER_A_JUMP:
            yield from _next_pages(walk)


def _next_pages(walk: _Walk) -> Iterator[QueryRequest]:
    """The pages that the walk will reach, as far as is fetched ahead."""
    reach = walk.t + AHEAD * walk.stride
    for query, width in walk.pages.values():
        page = _page(query)
        if page is None or not page[0] <= walk.t < page[1]:
            continue
        end = query.last_t + 1
        if walk.stride > 0 and reach >= page[1] and page[1] < end:
            yield query.page(page[1], min(page[1] + width, end))
        elif walk.stride < 0 and reach < page[0]:
            yield query.page(max(0, page[0] - width), page[0])


def _page(query: QueryRequest) -> tuple[int, int] | None:
    start, stop = query.arguments.get("start"), query.arguments.get("stop")
    if isinstance(start, int) and isinstance(stop, int) and 0 <= start < stop:
        return start, stop
    return None

"""What will be asked soon: the questions of the latest timestep, in the direction of walking."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field

from lstmtui.remote.questions import ReadingQuestion

AHEAD = 16
"""Timesteps that are asked for ahead of a walk."""
_AFTER_A_JUMP = 4
_MOST_WALKS = 4
_MOST_PAGES = 64
_MOST_GIVEN = 10_000


@dataclass
class _Walk:
    """The questions of one session."""

    t: int
    stride: int = 1
    ahead: int = _AFTER_A_JUMP
    here: dict[Hashable, ReadingQuestion] = field(default_factory=dict)
    """Those that depend on t, asked at the latest timestep."""
    pages: OrderedDict[Hashable, tuple[ReadingQuestion, int]] = field(default_factory=OrderedDict)
    """The latest page of those that have one, and the width of its full pages."""
    given: set[tuple[Hashable, int]] = field(default_factory=set)
    """What was given out as wanted."""

    def move(self, t: int) -> None:
        """The cursor is at another timestep."""
        stride = t - self.t
        steady = abs(stride) == 1 or stride == self.stride
        self.stride, self.ahead = (stride, AHEAD) if steady else (1, _AFTER_A_JUMP)
        self.t, self.here = t, {}


class Prefetch:
    """Watches what is asked, and says what will be."""

    def __init__(self) -> None:
        self._walks: OrderedDict[Hashable, _Walk] = OrderedDict()

    def note(self, asked: ReadingQuestion) -> None:
        """A question was asked, whether or not its answer was here already."""
        walk = self._walks.setdefault(asked.runs, _Walk(asked.t))
        self._walks.move_to_end(asked.runs)
        if len(self._walks) > _MOST_WALKS:
            self._walks.popitem(last=False)
        if asked.t != walk.t:
            walk.move(asked.t)
        if asked.depends_on_t:
            walk.here[asked.shape] = asked
        elif (page := _page(asked)) is not None:
            shape = asked.page(0, 0).shape
            width = walk.pages[shape][1] if shape in walk.pages else 0
            walk.pages[shape] = (asked, max(width, page[1] - page[0]))
            walk.pages.move_to_end(shape)
            if len(walk.pages) > _MOST_PAGES:
                walk.pages.popitem(last=False)

    def forget(self) -> None:
        """What was wanted before is not on its way any more."""
        for walk in self._walks.values():
            walk.given.clear()

    def wanted(self) -> Iterator[ReadingQuestion]:
        """What comes next, the nearest first; whoever goes on after one has seen to it."""
        if not self._walks:
            return
        walk = next(reversed(self._walks.values()))
        if len(walk.given) > _MOST_GIVEN:
            walk.given.clear()
        for distance in range(1, walk.ahead + 1):
            t = walk.t + distance * walk.stride
            for shape, asked in walk.here.items():
                if 0 <= t <= asked.last_t and (shape, t) not in walk.given:
                    yield asked.at(t)
                    walk.given.add((shape, t))
            if distance == _AFTER_A_JUMP:
                yield from _next_pages(walk)


def _next_pages(walk: _Walk) -> Iterator[ReadingQuestion]:
    """The pages that the walk comes to within what is fetched ahead."""
    reach = walk.t + AHEAD * walk.stride
    for asked, width in walk.pages.values():
        page = _page(asked)
        if page is None or not page[0] <= walk.t < page[1]:
            continue
        end = asked.last_t + 1
        if walk.stride > 0 and reach >= page[1] and page[1] < end:
            yield asked.page(page[1], min(page[1] + width, end))
        elif walk.stride < 0 and reach < page[0]:
            yield asked.page(max(0, page[0] - width), page[0])


def _page(asked: ReadingQuestion) -> tuple[int, int] | None:
    start, stop = asked.arguments.get("start"), asked.arguments.get("stop")
    if isinstance(start, int) and isinstance(stop, int) and 0 <= start < stop:
        return start, stop
    return None

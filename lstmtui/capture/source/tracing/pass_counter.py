"""Which pass of each loop of a function runs, from the places where a trace function is called."""

from __future__ import annotations

from collections.abc import Iterator

from lstmtui.capture.source.bindings import Passes
from lstmtui.capture.source.code.loops import Loops


class PassCounter:
    """Counts the passes of the loops of one call."""

    __slots__ = ("_around", "_counts", "_loops", "_now", "passes")

    def __init__(self, loops: Loops) -> None:
        self._loops = loops
        self._now: tuple[int, ...] = ()
        self._around: tuple[int, ...] = ()
        """The loops in which recording began, a single pass of which is none."""
        self._counts: dict[int, int] = {}
        self.passes: Passes = ()

    def begin(self, offset: int) -> None:
        """The instruction at `offset` is next, and recording begins there, in the middle of the call."""
        self.move(offset)
        self._around = self._now
        self._enter(self._now)

    def first_pass(self, offset: int) -> None:
        """A jump back to the start of a loop, of which the first pass, on one line with it, was not seen."""
        loops = self._loops
        around = loops.around[offset]
        loop = loops.loops[around[-1]]
        if loop.is_for and around[-1] not in self._now and offset in loop.starts:
            self._counts |= {number: 0 for number in around if number not in self._now}
            self._enter(around)

    def leave(self, loop: int) -> None:
        """A loop has no further item: what runs on is outside of it, though it may be on its line."""
        if loop in self._now:
            self._enter(self._now[: self._now.index(loop)])

    def move(self, offset: int) -> None:
        """The instruction at `offset` is next."""
        loops = self._loops
        now = loops.around.get(offset, ())
        if now is self._now and offset not in loops.starts:
            return
        common = [number for number in now if number in self._now]
        for number in now:
            if number not in common:
                loop = loops.loops[number]
                # The test of a while loop comes before its first pass.
                self._counts[number] = 0 if loop.is_for or offset in loop.starts else -1
        if common and offset in loops.loops[common[-1]].starts:
            self._counts[common[-1]] += 1
        self._enter(now)

    def ended(self, around: tuple[int, ...], *, is_at_start: bool, has_raised: bool) -> Iterator[Passes]:
        """The last pass of each loop that is left, after those round it.

        The last pass of a while loop may do no more than see that there is nothing left to do: it is told
        only where an exception ends it.

        Args:
            around: the loops that what follows is in.
            is_at_start: whether a pass would have begun with what ran last.
            has_raised: whether an exception leaves them.
        """
        for depth, number in enumerate(self._now):
            if number in around or not (has_raised or self._loops.loops[number].is_for):
                continue
            if number in self._around and self._counts[number] <= 0:
                continue
            *outer, (line, at) = self._passes_of(self._now[: depth + 1])
            # A loop that takes no further item ends where a pass would begin.
            is_over = is_at_start and depth == len(self._now) - 1 and not has_raised
            yield *outer, (line, at - is_over)

    def _enter(self, now: tuple[int, ...]) -> None:
        self._now, self.passes = now, self._passes_of(now)

    def _passes_of(self, now: tuple[int, ...]) -> Passes:
        loops, counts, around = self._loops.loops, self._counts, self._around
        return tuple((loops[n].line, max(counts[n], 0)) for n in now if counts[n] > 0 or n not in around)

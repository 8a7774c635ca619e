"""The watches of a session: expressions shown at every timestep."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lstmtui.errors import UserError
from lstmtui.expressions import Expression
from lstmtui.expressions.at_cursor import Evaluated, evaluated
from lstmtui.view import View

MOST_WATCHES = 1_000
"""More than this are refused."""


@dataclass(frozen=True)
class WatchedExpression:
    """One watched expression."""

    id: int
    expression: Expression

    @property
    def text(self) -> str:
        """The expression as it was written."""
        return self.expression.text


@dataclass(frozen=True, eq=False)
class Watched:
    """A watch at the cursor."""

    id: int
    text: str
    result: Evaluated
    """Its value, or why it has none here."""


class Watches:
    """All watches by number; a number is never reused. Adding too many raises UserError."""

    def __init__(self) -> None:
        self._kept: dict[int, WatchedExpression] = {}
        self._last = 0

    def __iter__(self) -> Iterator[WatchedExpression]:
        return iter(tuple(self._kept.values()))

    def __len__(self) -> int:
        return len(self._kept)

    def copy(self) -> Watches:
        """The same watches, which change by themselves from now on."""
        other = Watches()
        other._kept, other._last = dict(self._kept), self._last
        return other

    def add(self, expression: Expression) -> WatchedExpression:
        """Watch an expression."""
        if len(self._kept) >= MOST_WATCHES:
            raise UserError(f"there are {MOST_WATCHES:,} watches; remove one first")
        self._last += 1
        self._kept[self._last] = WatchedExpression(self._last, expression)
        return self._kept[self._last]

    def remove(self, number: int) -> WatchedExpression | None:
        """Forget a watch; None where there is none of this number."""
        return self._kept.pop(number, None)

    def put_back(self, watches: Iterable[WatchedExpression]) -> None:
        """Restore these watches and remove all others."""
        self._kept = {watch.id: watch for watch in watches}

    def at_cursor(self, view: View, most: int | None = None) -> tuple[Watched, ...]:
        """The value of each watch at the cursor, of longer vectors the first `most` units."""
        if not self._kept:
            return ()
        watches = tuple(self)
        results = evaluated(view, tuple(watch.expression for watch in watches), most)
        return tuple(
            Watched(watch.id, watch.text, result) for watch, result in zip(watches, results, strict=True)
        )

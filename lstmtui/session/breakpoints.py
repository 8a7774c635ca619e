"""The breakpoints of a session: kept whatever is selected, numbered once and for all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lstmtui.errors import UserError
from lstmtui.session.hit_cache import HitCache
from lstmtui.wording import counted

if TYPE_CHECKING:
    from lstmtui.expressions import Expression

MOST_BREAKPOINTS = 1_000
"""More than this are refused."""


@dataclass(frozen=True)
class Breakpoint:
    """A timestep or a condition to stop at; with a note, it shows the note instead of stopping."""

    id: int
    t: int | None = None
    """The timestep of a positional breakpoint."""
    when: Expression | None = None
    """The condition of a conditional one."""
    note: str | None = None
    """What is said at every hit, without stopping; None: stop."""
    enabled: bool = True
    hits: int = 0
    """How often it has stopped the session, or said its note; a timestep that is hit again counts again."""

    @property
    def place(self) -> str:
        """ "min(f) < 0.1" or "at t=37"."""
        return f"at t={self.t}" if self.when is None else self.when.text

    def __str__(self) -> str:
        note = "" if self.note is None else f', notes "{self.note}"'
        state = "" if self.enabled else ", disabled"
        hits = f", already hit {counted(self.hits, 'time')}" if self.hits else ""
        return f"breakpoint {self.id}: {self.place}{note}{state}{hits}"


class Breakpoints:
    """All breakpoints by number; a number is never reused. Adding too many raises UserError."""

    def __init__(self) -> None:
        self._kept: dict[int, Breakpoint] = {}
        self._last = 0
        self.hit_cache = HitCache()

    def __iter__(self) -> Iterator[Breakpoint]:
        return iter(tuple(self._kept.values()))

    def __len__(self) -> int:
        return len(self._kept)

    def copy(self) -> Breakpoints:
        """The same breakpoints, which change by themselves from now on."""
        other = Breakpoints()
        other._kept, other._last, other.hit_cache = dict(self._kept), self._last, self.hit_cache
        return other

    def add_at(self, t: int, *, enabled: bool = True) -> Breakpoint:
        """Stop at timestep t."""
        return self._add(Breakpoint(self._last + 1, t=t, enabled=enabled))

    def add_when(self, when: Expression, note: str | None = None, *, enabled: bool = True) -> Breakpoint:
        """Stop where the condition holds; with a note, show the note there instead."""
        return self._add(Breakpoint(self._last + 1, when=when, note=note, enabled=enabled))

    def same_as(
        self, *, t: int | None = None, when: Expression | None = None, note: str | None = None
    ) -> Breakpoint | None:
        """An enabled breakpoint at this timestep, or with this condition and note, if there is one."""
        text = when and when.text
        for point in self:
            if point.enabled and (point.t, point.when and point.when.text, point.note) == (t, text, note):
                return point
        return None

    def delete(self, number: int) -> Breakpoint | None:
        """Forget a breakpoint; None where there is none of this number."""
        return self._kept.pop(number, None)

    def enable(self, number: int) -> Breakpoint | None:
        """Let a breakpoint stop again; None if there is none of this number."""
        return self._change(number, enabled=True)

    def disable(self, number: int) -> Breakpoint | None:
        """Keep a breakpoint without stopping; None where there is none of this number."""
        return self._change(number, enabled=False)

    def put_back(self, points: Iterable[Breakpoint]) -> None:
        """Restore these breakpoints and remove all others; hits counted in the meantime stay counted."""
        now = self._kept
        self._kept = {p.id: replace(p, hits=now[p.id].hits) if p.id in now else p for p in points}

    def count_hits(self, number: int, hits: int = 1) -> Breakpoint:
        """Count hits of a breakpoint that exists, and give it as it is then."""
        self._kept[number] = replace(self._kept[number], hits=self._kept[number].hits + hits)
        return self._kept[number]

    def _add(self, added: Breakpoint) -> Breakpoint:
        if len(self._kept) >= MOST_BREAKPOINTS:
            raise UserError(f"there are {MOST_BREAKPOINTS:,} breakpoints; delete one first")
        self._last = added.id
        self._kept[added.id] = added
        return added

    def _change(self, number: int, *, enabled: bool) -> Breakpoint | None:
        if number not in self._kept:
            return None
        self._kept[number] = replace(self._kept[number], enabled=enabled)
        return self._kept[number]

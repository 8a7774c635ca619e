"""Where breakpoints are hit: the next one in a direction, and all those of a page."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from lstmtui.expressions import Expression
from lstmtui.expressions.hits import first_hits, first_in_others, hits_on_the_way, hits_within, unfit
from lstmtui.session.session import Session
from lstmtui.view import Cursor, View, together

MOST_SEQUENCES, MOST_TIMESTEPS = 1 << 8, 1 << 18
"""Of other sequences that are looked at for each condition."""
Note = tuple[int, str]
"""A timestep and what a breakpoint says there."""


@dataclass(frozen=True)
class BreakpointMarks:
    """The marks of a page on the ruler; timesteps in order."""

    breakpoints: tuple[int, ...]
    """Where enabled positional breakpoints are."""
    hits: tuple[int, ...]
    """Where the condition of an enabled breakpoint holds."""


def fits_somewhere(session: Session, expression: Expression, *, condition: bool = False) -> bool:
    """Whether an expression means something for any layer of any model of the session."""
    for name, recorded in session.traces.items():
        trace = session.changed.get(name, recorded)
        for index, layer in enumerate(trace.layers):
            cursor = Cursor(name, layer=index, direction=layer.directions[0])
            if not unfit(View(trace, recorded, cursor, session.backend), expression, condition=condition):
                return True
    return False


def next_hit(session: Session, ts: range) -> tuple[int | None, tuple[int, ...]]:
    """The first t of `ts`, which may descend, where breakpoints stop, and the numbers of those that do."""
    stopping = [b for b in session.breakpoints if b.enabled and b.note is None]
    # Positions cost nothing and shorten the way the conditions have to be searched.
    hits = {b.id: b.t for b in stopping if b.t is not None and b.t in ts}
    near = ts[: min(map(ts.index, hits.values())) + 1] if hits else ts
    conditional = [(b.id, b.when) for b in stopping if b.when is not None]
    if conditional:
        first = first_hits(session.view, tuple(when for _, when in conditional), near)
        hits |= {number: t for (number, _), t in zip(conditional, first, strict=True) if t is not None}
    if not hits:
        return None, ()
    nearest = min(hits.values(), key=ts.index)
    return nearest, tuple(sorted(number for number, t in hits.items() if t == nearest))


def never_here(session: Session) -> list[tuple[int, int, int]]:
    """Of conditions that hold nowhere in the selected sequence: (breakpoint, another sequence, t there)."""
    conditional = [(b.id, b.when) for b in session.breakpoints if b.enabled and b.note is None and b.when]
    if not conditional or session.view.trace.batch == 1:
        return []
    most = max(1, min(MOST_SEQUENCES, MOST_TIMESTEPS // session.view.trace.steps))
    places = first_in_others(session.view, tuple(when for _, when in conditional), most)
    return [(n, *place) for (n, _), place in zip(conditional, places, strict=True) if place is not None]


def notes_on_the_way(session: Session, ts: range, most: int) -> tuple[tuple[Note, ...], dict[int, int]]:
    """What breakpoints with a note say at each t of `ts`, in its order, and how often each was hit.

    No more than `most` notes are kept; every hit is counted.
    """
    noting = [
        (b.id, b.when, b.note) for b in session.breakpoints if b.enabled and b.when and b.note is not None
    ]
    if not noting:
        return (), {}
    passed = hits_on_the_way(session.view, tuple(when for _, when, _ in noting), ts, most)
    passages = zip(passed.at.tolist(), passed.which.tolist(), strict=True)
    notes = tuple((ts[at], noting[which][2]) for at, which in passages)
    return notes, {number: hits for (number, _, _), hits in zip(noting, passed.counts, strict=True)}


def marks(session: Session, start: int, stop: int) -> BreakpointMarks:
    """The breakpoints and the hits of the selected sequence from `start` to before `stop`."""
    page = range(max(0, start), min(stop, session.last_t + 1))
    enabled = [b for b in session.breakpoints if b.enabled]
    positions = {b.t for b in enabled if b.t is not None and b.t in page}
    conditions = [b.when for b in enabled if b.when is not None]
    hits = together(*(partial(_hits, session, when, page) for when in conditions))
    return BreakpointMarks(tuple(sorted(positions)), tuple(sorted(set().union(*hits))))


def _hits(session: Session, when: Expression, page: range) -> tuple[int, ...]:
    view, cursor = session.view, session.cursor
    key = (when.text, cursor.layer, cursor.direction, cursor.batch, page.start, page.stop)
    cache = session.breakpoints.hit_cache
    baseline = None if view.baseline is view.trace else view.baseline
    return cache.get(view.trace, baseline, key, lambda: hits_within(view, when, page))

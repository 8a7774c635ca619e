"""Where breakpoints are hit: the next one in a direction, and all those of a page."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass

import numpy as np

from lstmtui.session.breakpoints import Breakpoint
from lstmtui.session.cursor import Cursor
from lstmtui.session.expressions import Expression, ExpressionError, Scope, scope_of
from lstmtui.session.session import Session
from lstmtui.trace import Trace

Note = tuple[int, str]
"""A timestep and what a breakpoint says there."""


@dataclass(frozen=True)
class Marks:
    """What the ruler shows of a page; timesteps in order."""

    breakpoints: tuple[int, ...]
    """Where enabled positional breakpoints are."""
    hits: tuple[int, ...]
    """Where the condition of an enabled breakpoint holds."""


def scope_at(session: Session) -> Scope:
    """What an expression sees at the cursor, the run without what-ifs included."""
    return scope_of(session, _baseline(session))


def unfit(session: Session, expression: Expression, *, condition: bool = False) -> str:
    """Why an expression means nothing for what is selected; empty where it does."""
    try:
        expression.check(scope_at(session), condition=condition)
    except ExpressionError as error:
        return str(error)
    return ""


def fits_somewhere(session: Session, expression: Expression, *, condition: bool = False) -> bool:
    """Whether an expression means something for any layer of any model of the session."""
    elsewhere = copy(session)
    for name, trace in session.traces.items():
        for index, layer in enumerate(trace.layers):
            elsewhere.cursor = Cursor(name, layer=index, direction=layer.directions[0])
            if not unfit(elsewhere, expression, condition=condition):
                return True
    return False


def next_hit(session: Session, ts: range) -> tuple[int | None, tuple[int, ...]]:
    """The first t of `ts`, which may descend, where breakpoints stop, and the numbers of those that do."""
    nearest: int | None = None
    found: dict[int, list[int]] = {}
    stopping = [b for b in session.breakpoints if b.enabled and b.note is None]
    # Positions cost nothing and shorten the way the conditions have to be searched.
    for point in sorted(stopping, key=lambda b: b.when is not None):
        t = _first(session, point, ts)
        if t is not None:
            nearest = t
            found.setdefault(t, []).append(point.id)
            ts = ts[: ts.index(t) + 1]
    return (None, ()) if nearest is None else (nearest, tuple(sorted(found[nearest])))


def notes_on_the_way(session: Session, ts: range, most: int) -> tuple[tuple[Note, ...], dict[int, int]]:
    """What breakpoints with a note say at each t of `ts`, in its order, and how often each was hit.

    No more than `most` notes are kept; every hit is counted.
    """
    said: list[tuple[int, int, str]] = []
    hits: dict[int, int] = {}
    for point in session.breakpoints:
        if not point.enabled or point.note is None or point.when is None:
            continue
        if unfit(session, point.when, condition=True):
            continue
        where = np.flatnonzero(point.when.holds(scope_at(session), ts))
        hits[point.id] = len(where)
        said += ((int(i), point.id, point.note) for i in where[:most])
    return tuple((ts[i], text) for i, _, text in sorted(said)[:most]), hits


def marks(session: Session, start: int, stop: int) -> Marks:
    """The breakpoints and the hits of the selected sequence from `start` to before `stop`."""
    page = range(max(0, start), min(stop, session.last_t + 1))
    enabled = [b for b in session.breakpoints if b.enabled]
    positions = {b.t for b in enabled if b.t is not None and b.t in page}
    hits: set[int] = set()
    for point in enabled:
        if point.when is not None:
            hits.update(_hits(session, point.when, page))
    return Marks(tuple(sorted(positions)), tuple(sorted(hits)))


def _hits(session: Session, when: Expression, page: range) -> tuple[int, ...]:
    def compute() -> tuple[int, ...]:
        if unfit(session, when, condition=True):
            return ()
        return tuple(page[int(i)] for i in np.flatnonzero(when.holds(scope_at(session), page)))

    cursor = session.cursor
    key = (when.text, cursor.layer, cursor.direction, cursor.batch, page.start, page.stop)
    return session.breakpoints.hit_cache.get(session.trace, _baseline(session), key, compute)


def _baseline(session: Session) -> Trace | None:
    return session.variants.baseline(session.cursor.model) if session.variants else None


def _first(session: Session, point: Breakpoint, ts: range) -> int | None:
    if point.when is None:
        return point.t if point.t in ts else None
    if unfit(session, point.when, condition=True):
        return None
    return point.when.search(scope_at(session), ts)

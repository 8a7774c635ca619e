"""Where breakpoints are hit: the next one in a direction, and all those of a page."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from functools import partial

import numpy as np

from lstmtui.arrays import Array
from lstmtui.session.cursor import Cursor
from lstmtui.session.expressions import Expression, ExpressionError, Scope, scope_of
from lstmtui.session.readings import reading, together
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


@dataclass(frozen=True, eq=False)
class Passed:
    """Where conditions hold on the way."""

    at: Array
    """Places on the way, counted from its start, in order; the first of them."""
    which: Array
    """Which condition holds there."""
    counts: tuple[int, ...]
    """How often each one holds on all of the way."""


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
    probe = copy(session)
    for name, trace in session.traces.items():
        for index, layer in enumerate(trace.layers):
            probe.cursor = Cursor(name, layer=index, direction=layer.directions[0])
            if not unfit(probe, expression, condition=condition):
                return True
    return False


def next_hit(session: Session, ts: range) -> tuple[int | None, tuple[int, ...]]:
    """The first t of `ts`, which may descend, where breakpoints stop, and the numbers of those that do."""
    stopping = [b for b in session.breakpoints if b.enabled and b.note is None]
    # Positions cost nothing and shorten the way the conditions have to be searched.
    found = {b.id: b.t for b in stopping if b.t is not None and b.t in ts}
    near = ts[: min(map(ts.index, found.values())) + 1] if found else ts
    conditional = [(b.id, b.when) for b in stopping if b.when is not None]
    if conditional:
        hits = first_hits(session, tuple(when for _, when in conditional), near)
        found |= {number: t for (number, _), t in zip(conditional, hits, strict=True) if t is not None}
    if not found:
        return None, ()
    nearest = min(found.values(), key=ts.index)
    return nearest, tuple(sorted(number for number, t in found.items() if t == nearest))


@reading()
def first_hits(session: Session, conditions: tuple[Expression, ...], ts: range) -> tuple[int | None, ...]:
    """The first t of `ts` where each condition holds; None where it does not as far as the nearest of all."""
    hits: list[int | None] = []
    for when in conditions:
        t = None if unfit(session, when, condition=True) else when.search(scope_at(session), ts)
        hits.append(t)
        ts = ts if t is None else ts[: ts.index(t) + 1]
    return tuple(hits)


def notes_on_the_way(session: Session, ts: range, most: int) -> tuple[tuple[Note, ...], dict[int, int]]:
    """What breakpoints with a note say at each t of `ts`, in its order, and how often each was hit.

    No more than `most` notes are kept; every hit is counted.
    """
    noting = [
        (b.id, b.when, b.note) for b in session.breakpoints if b.enabled and b.when and b.note is not None
    ]
    if not noting:
        return (), {}
    passed = hits_on_the_way(session, tuple(when for _, when, _ in noting), ts, most)
    said = zip(passed.at.tolist(), passed.which.tolist(), strict=True)
    notes = tuple((ts[at], noting[which][2]) for at, which in said)
    return notes, {number: hits for (number, _, _), hits in zip(noting, passed.counts, strict=True)}


@reading()
def hits_on_the_way(session: Session, conditions: tuple[Expression, ...], ts: range, most: int) -> Passed:
    """Where each condition holds along `ts`; no more than `most` places, every one of them counted."""
    where = [
        np.zeros(0, np.intp)
        if unfit(session, when, condition=True)
        else np.flatnonzero(when.holds(scope_at(session), ts))
        for when in conditions
    ]
    at = np.concatenate([np.zeros(0, np.intp), *(places[:most] for places in where)])
    which = np.repeat(np.arange(len(where)), [min(most, len(places)) for places in where])
    order = np.lexsort((which, at))[:most]
    return Passed(at[order], which[order], tuple(len(places) for places in where))


def marks(session: Session, start: int, stop: int) -> Marks:
    """The breakpoints and the hits of the selected sequence from `start` to before `stop`."""
    page = range(max(0, start), min(stop, session.last_t + 1))
    enabled = [b for b in session.breakpoints if b.enabled]
    positions = {b.t for b in enabled if b.t is not None and b.t in page}
    conditions = [b.when for b in enabled if b.when is not None]
    found = together(*(partial(_hits, session, when, page) for when in conditions))
    return Marks(tuple(sorted(positions)), tuple(sorted(set().union(*found))))


@reading()
def hits_within(session: Session, when: Expression, page: range) -> tuple[int, ...]:
    """Every t of a page where a condition holds."""
    if unfit(session, when, condition=True):
        return ()
    return tuple(page[i] for i in np.flatnonzero(when.holds(scope_at(session), page)).tolist())


def _hits(session: Session, when: Expression, page: range) -> tuple[int, ...]:
    cursor = session.cursor
    key = (when.text, cursor.layer, cursor.direction, cursor.batch, page.start, page.stop)
    cache = session.breakpoints.hit_cache
    return cache.get(session.trace, _baseline(session), key, lambda: hits_within(session, when, page))


def _baseline(session: Session) -> Trace | None:
    """What `base(…)` reads; None where the selected run is that run."""
    return None if session.trace is session.baseline else session.baseline

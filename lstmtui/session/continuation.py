"""Continues, forwards or backwards, until a breakpoint is hit."""

from __future__ import annotations

from dataclasses import dataclass

from lstmtui.expressions.hits import unfit
from lstmtui.session.breakpoint_hits import Note, never_here, next_hit, notes_on_the_way
from lstmtui.session.session import Session
from lstmtui.session.stop import Stop

MOST_NOTES = 1_000
"""More notes than this of one run are counted, not kept."""


@dataclass(frozen=True)
class Continuation:
    """The result of `continue` or `rcontinue`."""

    stop: Stop
    notes: tuple[Note, ...] = ()
    """What breakpoints with a note said on the way, the first 1,000 of it."""


def run_on(session: Session) -> Continuation:
    """Go to the next hit of an enabled breakpoint, or the end."""
    return _run(session, range(session.cursor.t + 1, session.last_t + 1), "the end", "last")


def run_back(session: Session) -> Continuation:
    """Go back to the previous hit of an enabled breakpoint, or the start."""
    return _run(session, range(session.cursor.t - 1, -1, -1), "the start", "first")


def _run(session: Session, ts: range, end: str, which: str) -> Continuation:
    t, ids = next_hit(session, ts)
    notes, counted = notes_on_the_way(session, ts if t is None else ts[: ts.index(t) + 1], MOST_NOTES)
    for number, hits in counted.items():
        session.breakpoints.count_hits(number, hits)
    if t is not None:
        session.goto(t)
        text = "; ".join(_hit_text(session, number, t) for number in ids)
        return Continuation(Stop("breakpoint", text, ids), notes)
    session.goto(0 if which == "first" else session.last_t)
    text = f"{end}: t={session.cursor.t} is the {which} timestep{_idle(session)}{_elsewhere(session)}"
    return Continuation(Stop("start" if which == "first" else "end", text), notes)


def _hit_text(session: Session, number: int, t: int) -> str:
    """Counts the hit and says it."""
    point = session.breakpoints.count_hits(number)
    place = point.place if point.when is None else f"{point.place} at t={t}"
    return f"breakpoint {number}: {place}"


def _elsewhere(session: Session) -> str:
    """Where conditions hold that never do in the selected sequence, and how to go there."""
    own = session.cursor.batch
    return "".join(
        f"; breakpoint {number}: never in sequence {own}, but in {batch} at t={t}: batch {batch}"
        for number, batch, t in never_here(session)
    )


def _idle(session: Session) -> str:
    """Which breakpoints could not have stopped the run, because they mean nothing for this layer."""
    conditional = [(b.id, b.when) for b in session.breakpoints if b.enabled and b.when]
    idle = [str(number) for number, when in conditional if unfit(session.view, when, condition=True)]
    if not idle:
        return ""
    return f"; breakpoint{'s' if len(idle) > 1 else ''} {', '.join(idle)} cannot be hit here"

"""Verbs about breakpoints, and those that run until one is hit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from lstmtui.expressions import Expression
from lstmtui.expressions.hits import unfit
from lstmtui.printable import printable
from lstmtui.session.breakpoint_hits import fits_somewhere
from lstmtui.session.breakpoints import Breakpoint
from lstmtui.session.continuation import MOST_NOTES, Continuation, run_back, run_on
from lstmtui.session.language import arguments
from lstmtui.session.outcome import Outcome
from lstmtui.session.session import Session
from lstmtui.session.verbs import completions
from lstmtui.session.verbs.completions import Begun
from lstmtui.session.verbs.verb import Verb
from lstmtui.session.verbs.walking import moved
from lstmtui.wording import counted


def _break(session: Session, kind: str, where: int | Expression, note: str | None = None) -> Outcome:
    if isinstance(where, int):
        longest = max(int(trace.lengths.max()) for trace in session.traces.values())
        if where >= longest:
            return Outcome(False, f"t={where}: the longest sequence has t=0 to t={longest - 1}")
        there = session.breakpoints.same_as(t=where)
        return Outcome(True, _there(there) if there else str(session.breakpoints.add_at(where)))
    there = session.breakpoints.same_as(when=where, note=note)
    if there is not None:
        return Outcome(True, _there(there))
    why = unfit(session.view, where, condition=True)
    if why and not fits_somewhere(session, where, condition=True):
        return Outcome(False, why)
    added = session.breakpoints.add_when(where, note)
    return Outcome(True, f"{added}{'; it cannot be hit here: ' + why if why else ''}")


def _there(point: Breakpoint) -> str:
    return f"{point}: it is there already"


def _complete_break(session: Session, begun: Begun) -> list[str]:
    if begun.before[:1] == ("when",) and "note" not in begun.before:
        others = ("note",) if len(begun.before) > 1 else ()
        return completions.in_expression(session, begun.last, others)
    return completions.beginning(begun.last, () if begun.before else ("when", "at"))


def _breaks(session: Session) -> Outcome:
    listed = "; ".join(_listed(session, point) for point in session.breakpoints)
    return Outcome(True, listed or "there are no breakpoints")


def _listed(session: Session, point: Breakpoint) -> str:
    idle = point.when is not None and unfit(session.view, point.when, condition=True)
    return f"{point}, cannot be hit here" if idle else str(point)


def _delete(session: Session, number: int) -> Outcome:
    point = session.breakpoints.delete(number)
    return _missing(session, number) if point is None else Outcome(True, f"deleted {point}")


def _enable(session: Session, number: int) -> Outcome:
    point = session.breakpoints.enable(number)
    return _missing(session, number) if point is None else Outcome(True, f"enabled {point}")


def _disable(session: Session, number: int) -> Outcome:
    point = session.breakpoints.disable(number)
    return _missing(session, number) if point is None else Outcome(True, str(point))


def _missing(session: Session, number: int) -> Outcome:
    numbers = ", ".join(_numbers(session)) or "none"
    return Outcome(False, f"breakpoint {number}: there is no such breakpoint; there are: {numbers}")


def _numbers(session: Session) -> Iterator[str]:
    return (str(point.id) for point in session.breakpoints)


def _continued(run: Continuation) -> Outcome:
    outcome = moved(run.stop)
    if not run.notes:
        return outcome
    count = f"{counted(len(run.notes), 'note')} on the way"
    if len(run.notes) == MOST_NOTES:
        count = f"the first {MOST_NOTES:,} notes on the way"
    notes = tuple((t, printable(text)) for t, text in run.notes)
    return replace(outcome, text=f"{outcome.text}; {count}", notes=notes)


BREAKING = (
    Verb(
        name="break",
        usage="break when EXPR [note TEXT] | break at T",
        help="stop where a condition holds, or at a timestep; with a note: say it and go on",
        parse=arguments.breakpoint_place,
        execute=_break,
        complete=_complete_break,
        aliases=("b",),
        reads="arrays",
        changes_saved_state=True,
    ),
    Verb(
        name="breaks",
        usage="breaks",
        help="list the breakpoints",
        parse=arguments.nothing,
        execute=_breaks,
        other_names=("breakpoints",),
    ),
    Verb(
        name="delete",
        usage="delete N",
        help="delete breakpoint N",
        parse=arguments.identity("the breakpoint"),
        execute=_delete,
        complete=completions.only(_numbers),
        changes_saved_state=True,
    ),
    Verb(
        name="enable",
        usage="enable N",
        help="let breakpoint N stop again",
        parse=arguments.identity("the breakpoint"),
        execute=_enable,
        complete=completions.only(_numbers),
        changes_saved_state=True,
    ),
    Verb(
        name="disable",
        usage="disable N",
        help="keep breakpoint N without stopping",
        parse=arguments.identity("the breakpoint"),
        execute=_disable,
        complete=completions.only(_numbers),
        changes_saved_state=True,
    ),
    Verb(
        name="continue",
        usage="continue",
        help="go to the next breakpoint hit, or the end",
        parse=arguments.nothing,
        execute=lambda session: _continued(run_on(session)),
        aliases=("c",),
        reads="arrays",
    ),
    Verb(
        name="rcontinue",
        usage="rcontinue",
        help="go back to the previous breakpoint hit, or the start",
        parse=arguments.nothing,
        execute=lambda session: _continued(run_back(session)),
        other_names=("rc", "reverse-continue"),
        reads="arrays",
    ),
)

"""Commands, executed on a session."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from lstmtui.analysis.comparison import divergence
from lstmtui.analysis.diagnosis import FINE, diagnose
from lstmtui.errors import UserError
from lstmtui.expressions import Expression
from lstmtui.expressions.at_cursor import NoValue, evaluated, expectation
from lstmtui.expressions.hits import unfit
from lstmtui.expressions.text import value_text
from lstmtui.printable import printable
from lstmtui.session.breakpoint_hits import fits_somewhere
from lstmtui.session.breakpoints import Breakpoint
from lstmtui.session.compare import compared_with
from lstmtui.session.continuation import MOST_NOTES, Continuation, run_back, run_on
from lstmtui.session.go_to_first_bad import go_to_first_bad
from lstmtui.session.language import Command
from lstmtui.session.outcome import Outcome
from lstmtui.session.place_text import place_text
from lstmtui.session.session import Session
from lstmtui.session.stop import Stop
from lstmtui.session.what_ifs import WhatIfs

__all__ = ["Outcome", "execute"]


def execute(session: Session, command: Command) -> Outcome:
    """Do what a command says, as far as a session can, and say what came of it.

    Nothing the command holds makes this raise: what cannot be done is an outcome that is not ok.
    """
    try:
        if command.verb in _MOVEMENTS:
            outcome = _moved(_MOVEMENTS[command.verb](session, *command.arguments))
        elif command.verb in _WHAT_IFS:
            outcome = Outcome(
                True, _WHAT_IFS[command.verb](_what_ifs(session), session.cursor, *command.arguments)
            )
        elif command.verb in _REQUESTS:
            text = _REQUESTS[command.verb].format(*command.arguments)
            outcome = Outcome(True, text, request=(command.verb, *command.arguments))
        else:
            outcome = _ACTIONS[command.verb](session, *command.arguments)
    except UserError as error:
        outcome = Outcome(False, str(error))
    return replace(outcome, text=printable(outcome.text))


def _moved(stop: Stop) -> Outcome:
    shown = replace(stop, text=printable(stop.text))
    return Outcome(stop.ok, shown.text, stop=shown)


def _goto(session: Session, t: int) -> Stop:
    return session.goto(session.last_t + 1 + t if -session.last_t - 1 <= t < 0 else t)


def _model(session: Session, name: str) -> Stop:
    # A command holds only what is safe to show; a model's own name may hold more.
    own = {printable(known): known for known in session.traces}
    return session.select_model(own.get(name, name))


def _continued(run: Continuation) -> Outcome:
    outcome = _moved(run.stop)
    if not run.notes:
        return outcome
    count = f"{len(run.notes)} note{'' if len(run.notes) == 1 else 's'} on the way"
    if len(run.notes) == MOST_NOTES:
        count = f"the first {MOST_NOTES:,} notes on the way"
    notes = tuple((t, printable(text)) for t, text in run.notes)
    return replace(outcome, text=f"{outcome.text}; {count}", notes=notes)


def _break(session: Session, kind: str, where: int | Expression, note: str | None = None) -> Outcome:
    if isinstance(where, int):
        longest = max(int(trace.lengths.max()) for trace in session.traces.values())
        if where >= longest:
            return Outcome(False, f"t={where}: the longest sequence has t=0 to t={longest - 1}")
        return Outcome(True, str(session.breakpoints.add_at(where)))
    why = unfit(session.view, where, condition=True)
    if why and not fits_somewhere(session, where, condition=True):
        return Outcome(False, why)
    added = session.breakpoints.add_when(where, note)
    return Outcome(True, f"{added}{'; it cannot be hit here: ' + why if why else ''}")


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
    there = ", ".join(str(point.id) for point in session.breakpoints) or "none"
    return Outcome(False, f"breakpoint {number}: there is no such breakpoint; there are: {there}")


def _watch(session: Session, expression: Expression) -> Outcome:
    why = unfit(session.view, expression)
    if why and not fits_somewhere(session, expression):
        return Outcome(False, why)
    watch = session.watches.add(expression)
    if why:
        return Outcome(True, f"watch {watch.id}: {watch.text}; it has no value here: {why}")
    result = evaluated(session.view, (expression,))[0]
    text = f": {result.error}" if isinstance(result, NoValue) else f" = {value_text(result.value)}"
    return Outcome(True, f"watch {watch.id}: {watch.text}{text} at {place_text(session)}")


def _unwatch(session: Session, number: int) -> Outcome:
    removed = session.watches.remove(number)
    if removed is not None:
        return Outcome(True, f"removed watch {number}: {removed.text}")
    there = ", ".join(str(watch.id) for watch in session.watches) or "none"
    return Outcome(False, f"watch {number}: there is no such watch; there are: {there}")


def _print(session: Session, expression: Expression) -> Outcome:
    result = evaluated(session.view, (expression,))[0]
    if isinstance(result, NoValue):
        return Outcome(False, f"{expression.text}: {result.error}, at {place_text(session)}")
    text = f"{expression.text} = {value_text(result.value)} at {place_text(session)}"
    return Outcome(True, text, value=result.value)


def _expect(session: Session, condition: Expression) -> Outcome:
    found = expectation(session.view, condition)
    if found.error:
        text = f"{condition.text}: {found.error}, at {place_text(session)}"
        return Outcome(False, text, expect=False)
    verdict = "holds" if found.held else "does not hold"
    values = f": {found.operands}" if found.operands else ""
    text = f"{condition.text} {verdict}{values} at {place_text(session)}"
    return Outcome(found.held, text, expect=found.held)


def _first_bad(session: Session, which: str) -> Outcome:
    stop = go_to_first_bad(session, which)
    if stop is not None:
        return _moved(stop)
    return Outcome(True, f"every number of the {which} pass is finite")


def _diagnose(session: Session) -> Outcome:
    serious = [str(verdict) for verdict in diagnose(session.view) if verdict.severity != FINE]
    return Outcome(True, "; ".join(serious) or "nothing is wrong: every verdict is fine")


def _compare(session: Session, word: str | None) -> Outcome:
    session.compared = compared_with(session, word)
    if session.compared is None:
        return Outcome(True, "nothing is compared")
    try:
        found = divergence(session.view, session.compared)
    except UserError as error:
        return Outcome(True, f"compared with {word}; where they part cannot be said: {error}")
    return Outcome(True, f"compared with {word}; {found or 'the two runs do not differ by more than 1e-06'}")


def _what_ifs(session: Session) -> WhatIfs:
    if session.what_ifs is None:
        raise UserError("this session cannot run models again: it shows saved traces without their models")
    return session.what_ifs


_MOVEMENTS: dict[str, Callable[..., Stop]] = {
    "step": Session.step,
    "back": Session.back,
    "goto": _goto,
    "first": Session.first,
    "last": Session.last,
    "into": Session.into,
    "out": Session.out,
    "layer": Session.select_layer,
    "direction": Session.select_direction,
    "batch": Session.select_batch,
    "unit": Session.select_unit,
    "model": _model,
}

_WHAT_IFS: dict[str, Callable[..., str]] = {
    "set": lambda what_ifs, cursor, change: what_ifs.set(cursor, change),
    "unset": lambda what_ifs, cursor, number: what_ifs.unset(number),
    "reset": lambda what_ifs, cursor: what_ifs.reset(),
    "loss": lambda what_ifs, cursor, t, unit: what_ifs.loss(cursor, t, unit),
}

_REQUESTS: dict[str, str] = {
    "note": "{}",
    "pause": "pause of {:g} s",
    "screenshot": "screenshot to {}",
    "export": "export to {}",
    "quit": "quit",
}
"""What a front end has to do, and the sentence for it."""

_ACTIONS: dict[str, Callable[..., Outcome]] = {
    "break": _break,
    "breaks": _breaks,
    "delete": _delete,
    "enable": _enable,
    "disable": _disable,
    "continue": lambda session: _continued(run_on(session)),
    "rcontinue": lambda session: _continued(run_back(session)),
    "watch": _watch,
    "unwatch": _unwatch,
    "print": _print,
    "expect": _expect,
    "compare": _compare,
    "first-bad": _first_bad,
    "diagnose": _diagnose,
}

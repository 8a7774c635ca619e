"""Verbs that evaluate expressions: now, or at every timestep from now on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from lstmtui.analysis.reads import reads, reads_text
from lstmtui.expressions import Expression
from lstmtui.expressions.at_cursor import NoValue, ScalarValue, VectorValue, evaluated, unbound_text
from lstmtui.expressions.hits import unfit
from lstmtui.expressions.text import value_text
from lstmtui.session.breakpoint_hits import fits_somewhere
from lstmtui.session.hiding import hidden_text
from lstmtui.session.language import arguments
from lstmtui.session.outcome import Outcome
from lstmtui.session.place_text import place_text
from lstmtui.session.session import Session
from lstmtui.session.verbs import completions
from lstmtui.session.verbs.verb import Verb


def _watch(session: Session, expression: Expression) -> Outcome:
    why = unfit(session.view, expression)
    if why and not fits_somewhere(session, expression):
        return Outcome(False, why)
    there = next((watch for watch in session.watches if watch.text == expression.text), None)
    watch = there or session.watches.add(expression)
    if why:
        return Outcome(True, f"watch {watch.id}: {watch.text}; it has no value here: {why}")
    if hidden := hidden_text(session, expression.quantities):
        return Outcome(True, f"watch {watch.id}: {watch.text}; {hidden}")
    result = evaluated(session.view, (expression,))[0]
    text = f": {result.error}" if isinstance(result, NoValue) else f" = {_text(result)}"
    return Outcome(True, f"watch {watch.id}: {watch.text}{text} at {place_text(session)}")


def _unwatch(session: Session, number: int) -> Outcome:
    removed = session.watches.remove(number)
    if removed is not None:
        return Outcome(True, f"removed watch {number}: {removed.text}")
    numbers = ", ".join(_numbers(session)) or "none"
    return Outcome(False, f"watch {number}: there is no such watch; there are: {numbers}")


def _numbers(session: Session) -> Iterator[str]:
    return (str(watch.id) for watch in session.watches)


def _print(session: Session, expression: Expression | Literal["reads"]) -> Outcome:
    if expression == "reads":
        every = reads(session.view)
        if every:
            return Outcome(
                True, f"{reads_text(every, session.trace.header.look_ahead)} ({place_text(session)})"
            )
        why = session.trace.absent(session.cursor.layer) or "where it reads this run was not recorded"
        return Outcome(False, f"reads: {why}")
    if hidden := hidden_text(session, expression.quantities):
        return Outcome(False, hidden)
    result = evaluated(session.view, (expression,))[0]
    if isinstance(result, NoValue):
        return Outcome(False, f"{expression.text}: {result.error}, at {place_text(session)}")
    text = f"{expression.text} = {_text(result)} at {place_text(session)}"
    return Outcome(True, text, value=result.value)


def _text(result: ScalarValue | VectorValue) -> str:
    return value_text(result.value) + (f" ({unbound_text(result.unbound)})" if result.unbound else "")


EVALUATING = (
    Verb(
        name="watch",
        usage="watch EXPR",
        help="show an expression at every timestep",
        parse=arguments.expression,
        execute=_watch,
        complete=completions.expression,
        other_names=("display",),
        reads="arrays",
        changes_saved_state=True,
    ),
    Verb(
        name="unwatch",
        usage="unwatch N",
        help="remove watch N",
        parse=arguments.identity("the watch"),
        execute=_unwatch,
        complete=completions.only(_numbers),
        other_names=("undisplay",),
        changes_saved_state=True,
    ),
    Verb(
        name="print",
        usage="print EXPR",
        help="evaluate an expression here; `print reads`: at which timesteps the loss reads the layers",
        parse=arguments.printed,
        execute=_print,
        complete=completions.expression,
        aliases=("p",),
        reads="arrays",
        in_lesson="checks",
    ),
)

"""Verbs that look through a whole run for what is wrong with it."""

from __future__ import annotations

from lstmtui.analysis.diagnosis import FINE, diagnose
from lstmtui.session.go_to_first_bad import go_to_first_bad
from lstmtui.session.language import arguments
from lstmtui.session.outcome import Outcome
from lstmtui.session.session import Session
from lstmtui.session.verbs import completions
from lstmtui.session.verbs.verb import Verb
from lstmtui.session.verbs.walking import moved


def _first_bad(session: Session, which: str) -> Outcome:
    stop = go_to_first_bad(session, which)
    if stop is not None:
        return moved(stop)
    return Outcome(True, f"every number of the {which} pass is finite")


def _diagnose(session: Session) -> Outcome:
    serious = [str(verdict) for verdict in diagnose(session.view) if verdict.severity != FINE]
    return Outcome(True, "; ".join(serious) or "nothing is wrong: every verdict is fine")


DIAGNOSING = (
    Verb(
        name="first-bad",
        usage="first-bad [forward|backward]",
        help="go to where NaN or inf first appears, in the run or among its derivatives",
        parse=arguments.optional_pass,
        execute=_first_bad,
        complete=completions.only(lambda session: ("forward", "backward")),
        reads="run",
    ),
    Verb(
        name="diagnose",
        usage="diagnose",
        help="say what is wrong with the run: gates, units, gradients",
        parse=arguments.nothing,
        execute=_diagnose,
        reads="run",
    ),
)

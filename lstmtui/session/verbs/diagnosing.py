"""Verbs that look through a whole run for what is wrong with it."""

from __future__ import annotations

from lstmtui.analysis.diagnosis import FINE, NOT_MEASURED, diagnose, reasons
from lstmtui.analysis.first_bad.answer import why_no_backward
from lstmtui.session.go_to_first_bad import go_to_first_bad
from lstmtui.session.held_laws import hold_laws, laws_text
from lstmtui.session.language import arguments
from lstmtui.session.outcome import Outcome
from lstmtui.session.requests import ShowLaws
from lstmtui.session.session import Session
from lstmtui.session.verbs import completions
from lstmtui.session.verbs.verb import Verb
from lstmtui.session.verbs.walking import moved


def _first_bad(session: Session, which: str | None) -> Outcome:
    stop = go_to_first_bad(session, which)
    if stop is not None:
        return moved(stop)
    absent = why_no_backward(session.trace)
    if absent and which == "backward":
        return Outcome(True, f"there is no backward pass to look at: {absent}")
    if absent:
        after = "where you met a NaN, it was made after the layers"
        return Outcome(
            True, f"every number of the forward pass is finite: {after}; no backward pass: {absent}"
        )
    passes = "forward and the backward" if which is None else which
    return Outcome(True, f"every number of the {passes} pass is finite")


def _diagnose(session: Session) -> Outcome:
    verdicts = diagnose(session.view)
    lines = [str(verdict) for verdict in verdicts if verdict.severity not in (FINE, NOT_MEASURED)]
    lines = lines or ["nothing wrong was found"]
    lines += [f"not measured: {', '.join(names)}: {why}" for why, names in reasons(verdicts).items()]
    is_quiet = all(verdict.severity == FINE for verdict in verdicts)
    return Outcome(True, "nothing is wrong: every verdict is fine" if is_quiet else "; ".join(lines))


def _laws(session: Session) -> Outcome:
    results = hold_laws(session)
    return Outcome(True, laws_text(results), request=ShowLaws(results))


DIAGNOSING = (
    Verb(
        name="first-bad",
        usage="first-bad [forward|backward]",
        help="go to where NaN or inf first appears, in the run or, if it is finite, among its derivatives",
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
    Verb(
        name="laws",
        usage="laws",
        help="test the laws of state on the model: isolation, causality, carry …",
        parse=arguments.nothing,
        execute=_laws,
        reads="arrays",
        runs_model=True,
    ),
)

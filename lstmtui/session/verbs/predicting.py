"""Verbs that ask the user for a prediction, and hide what would give the answer away."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from lstmtui.errors import UserError
from lstmtui.session.grading import Solution, graded, solution
from lstmtui.session.language import arguments
from lstmtui.session.language.asking import question
from lstmtui.session.language.question import Question
from lstmtui.session.open_question import OpenQuestion
from lstmtui.session.outcome import Outcome
from lstmtui.session.place_text import place_text
from lstmtui.session.session import Session
from lstmtui.session.verbs import completions
from lstmtui.session.verbs.completions import Begun
from lstmtui.session.verbs.verb import Verb


def _ask(session: Session, question: Question) -> Outcome:
    """Ask the user; without a user, expect that there is an answer."""
    try:
        right = solution(question, session.view)
    except UserError as error:
        return Outcome(False, f'"{question.text}": {error}, at {place_text(session)}', expect=False)
    if not session.is_attended:
        return Outcome(True, f'"{question.text}": {right.arithmetic} at {place_text(session)}', expect=True)
    before = session.hidden if session.question is None else session.question.hidden_before
    session.question = OpenQuestion(question, session.view, before)
    session.hidden = before | question.quantities
    return Outcome(True, f"{question.text} {how_to_answer(question)}")


def how_to_answer(question: Question) -> str:
    """What may be typed, in words."""
    if question.value is not None:
        return "`answer NUMBER`"
    return "   ".join(f"{number} {option}" for number, option in enumerate(question.options, 1))


def _answer(session: Session, text: str) -> Outcome:
    waiting = _open_question(session)
    grade, sentence = graded(waiting.question, waiting.view, _solution(waiting), text)
    _close(session, waiting)
    return Outcome(True, sentence, grade=grade)


def _reveal(session: Session) -> Outcome:
    waiting = session.question
    if waiting is not None:
        _close(session, waiting)
        session.hidden = frozenset()
        return Outcome(True, f"not answered: {_solution(waiting).arithmetic}")
    hidden = ", ".join(sorted(session.hidden))
    session.hidden = frozenset()
    return Outcome(True, f"{hidden} can be seen again" if hidden else "nothing is hidden")


def _hide(session: Session, names: tuple[str, ...]) -> Outcome:
    there = session.trace.quantities(session.cursor.layer)
    missing = [name for name in names if name not in there]
    if missing:
        raise UserError(f"{missing[0]}: this layer has {', '.join(there)}")
    session.hidden |= frozenset(names)
    if session.question is not None:
        waiting = session.question
        session.question = replace(waiting, hidden_before=waiting.hidden_before | frozenset(names))
    return Outcome(True, f"hidden until `reveal`: {', '.join(sorted(session.hidden))}")


def _open_question(session: Session) -> OpenQuestion:
    if session.question is None:
        raise UserError("nothing has been asked")
    return session.question


def _solution(waiting: OpenQuestion) -> Solution:
    return solution(waiting.question, waiting.view)


def _close(session: Session, waiting: OpenQuestion) -> None:
    session.hidden, session.question = waiting.hidden_before, None


def _complete_answer(session: Session, begun: Begun) -> list[str]:
    options: Iterable[str] = () if session.question is None else session.question.question.options
    return completions.beginning(begun.text, options)


def _complete_hide(session: Session, begun: Begun) -> list[str]:
    return completions.beginning(begun.last, completions.quantities(session))


PREDICTING = (
    Verb(
        name="ask",
        usage='ask "TEXT" = EXPR [within P %] | ask "TEXT" choose A [when EXPR]|B [when EXPR]|…',
        help="ask for a prediction, and hide what is asked for until the answer; in `play`, an expectation",
        parse=question,
        execute=_ask,
        reads="arrays",
        changes_what_is_hidden=True,
        in_lesson="asks",
    ),
    Verb(
        name="answer",
        usage="answer NUMBER|CHOICE",
        help="answer what was asked: right, close or wrong, with the arithmetic",
        parse=arguments.rest("the answer"),
        execute=_answer,
        complete=_complete_answer,
        reads="arrays",
        changes_what_is_hidden=True,
    ),
    Verb(
        name="hide",
        usage="hide QUANTITY…",
        help="show no values of these quantities, so that they can be predicted",
        parse=arguments.names,
        execute=_hide,
        complete=_complete_hide,
        changes_what_is_hidden=True,
    ),
    Verb(
        name="reveal",
        usage="reveal",
        help="show everything again; a question that waits is given up",
        parse=arguments.nothing,
        execute=_reveal,
        reads="arrays",
        changes_what_is_hidden=True,
    ),
)

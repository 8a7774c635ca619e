"""Predictions: what is asked for is hidden, answers are graded with the arithmetic, play expects one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from synthetic import synthetic

from lstmtui.__main__ import main
from lstmtui.session import Outcome, Session, parse_line
from lstmtui.session.execute import execute
from lstmtui.trace import Trace


@pytest.fixture
def session() -> Session:
    """c of unit 0 is t + 1 and f is 0.5; somebody is there to answer."""
    trace = synthetic("lstm", 6, 2)
    c = np.broadcast_to(np.arange(1, 7, dtype=np.float32)[:, None, None], (6, 1, 2)).copy()
    arrays = {**trace.arrays, "0/forward/c": c, "0/forward/f": np.full((6, 1, 2), 0.5, np.float32)}
    session = Session(Trace(trace.header, arrays))
    session.is_attended = True
    session.goto(3)
    return session


def run(session: Session, *lines: str) -> Outcome:
    """What the last line gives."""
    return [execute(session, parse_line(line)) for line in lines][-1]  # type: ignore[arg-type]


NUMBER = 'ask "How much?" = f[0] * prev(c[0])'
CHOICE = 'ask "What does c do?" choose falls when c[0] < prev(c[0]) | grows when c[0] > prev(c[0])'


@pytest.mark.parametrize(
    ("answer", "grade", "text"),
    [
        ("1.5", "right", "right: f[0] * prev(c[0]) = 0.5 * 3 = 1.5"),
        ("0.5*3", "right", "right: f[0] * prev(c[0]) = 0.5 * 3 = 1.5"),
        ("1.57", "right", "right: f[0] * prev(c[0]) = 0.5 * 3 = 1.5"),
        ("1.2", "close", "close, 1.2 is 20 % off: f[0] * prev(c[0]) = 0.5 * 3 = 1.5"),
        ("1.15", "wrong", "wrong, 1.15 is 23 % off: f[0] * prev(c[0]) = 0.5 * 3 = 1.5"),
        ("1e9", "wrong", "wrong, 1e+09 is far off: f[0] * prev(c[0]) = 0.5 * 3 = 1.5"),
        ("-1.5", "wrong", "wrong, -1.5 is 200 % off: f[0] * prev(c[0]) = 0.5 * 3 = 1.5"),
    ],
)
def test_a_number_is_right_close_or_wrong_with_the_arithmetic(
    session: Session, answer: str, grade: str, text: str
) -> None:
    outcome = run(session, NUMBER, f"answer {answer}")
    assert (outcome.ok, outcome.grade, outcome.text) == (True, grade, text)


def test_within_says_how_near_is_right(session: Session) -> None:
    assert run(session, f"{NUMBER} within 30 %", "answer 1.1").grade == "right"
    assert run(session, f"{NUMBER} within 0.5 %", "answer 1.51").grade == "close"


def test_a_zero_is_right_only_if_it_is_zero(session: Session) -> None:
    assert run(session, 'ask "?" = f[0] - 0.5', "answer 0").grade == "right"
    assert run(session, 'ask "?" = f[0] - 0.5', "answer 0.001").text == (
        "wrong, 0.001 is not it: f[0] - 0.5 = 0.5 - 0.5 = 0"
    )


def test_one_unit_of_a_quantity_is_explained_by_the_cells_own_equation(session: Session) -> None:
    text = run(session, 'ask "What is f?" = f[1]', "answer 0.5").text
    assert text.startswith("right: f₃ = σ(W_f·x + R_f·h₂ + b_f) = σ(")
    assert text.endswith(" = 0.5")


@pytest.mark.parametrize(
    ("answer", "grade"), [("2", "right"), ("grows", "right"), ("G", "right"), ("1", "wrong")]
)
def test_a_choice_is_named_by_its_number_or_its_words(session: Session, answer: str, grade: str) -> None:
    outcome = run(session, CHOICE, f"answer {answer}")
    assert outcome.grade == grade
    begins = {"right": "right", "wrong": "wrong, the answer is"}[grade]
    assert outcome.text == f"{begins}: grows, since c[0] > prev(c[0]), with c[0] = 4, prev(c[0]) = 3"


def test_a_choice_without_a_condition_is_right_where_no_other_holds(session: Session) -> None:
    ask = 'ask "?" choose falls when c[0] < prev(c[0]) | stays or grows'
    assert run(session, ask, "answer stays").text == "right: stays or grows"
    plain = 'ask "Who keeps?" choose the forget gate | a clock | the output gate'
    assert run(session, plain).text == "Who keeps? 1 a clock   2 the forget gate   3 the output gate"
    assert run(session, "answer 2").grade == "right"


def test_what_is_asked_for_is_hidden_until_the_answer_and_the_input_never_is(session: Session) -> None:
    run(session, "hide o", 'ask "?" = f[0] * prev(c[0]) + x[0]')
    assert session.hidden == {"f", "c", "o"}
    refused = run(session, "answer soon")
    assert not refused.ok
    assert "is a number, as in `answer 0.45`" in refused.text
    assert not run(session, "answer loss").ok
    assert session.hidden == {"f", "c", "o"}
    run(session, "goto 5", "answer 1.5")
    assert (session.hidden, session.question) == ({"o"}, None)
    assert run(session, "answer 1").text == "nothing has been asked"


def test_reveal_gives_up_and_shows_everything(session: Session) -> None:
    assert run(session, "hide h", NUMBER, "reveal").text == "not answered: f[0] * prev(c[0]) = 0.5 * 3 = 1.5"
    assert not session.hidden
    assert run(session, "reveal").text == "nothing is hidden"
    assert run(session, "hide h, dc", "reveal").text == "dc, h can be seen again"
    assert run(session, "hide r").text.startswith("r: this layer has x, ")


@pytest.mark.parametrize(
    ("ask", "expected", "text"),
    [
        (NUMBER, True, '"How much?": f[0] * prev(c[0]) = 0.5 * 3 = 1.5 at t=3'),
        (CHOICE, True, '"What does c do?": grows, since c[0] > prev(c[0]), with c[0] = 4, prev(c[0]) = 3'),
        ('ask "a" = c[9]', False, '"a": c[9]: unit 9: c has units 0 to 1'),
        ('ask "a" = c[0] / 0', False, '"a": c[0] / 0 is +inf here, which nobody can predict'),
        ('ask "a" choose b when t == 3 | c when t > 2', False, '"a": one of the choices should hold here'),
        ('ask "a" choose b when t == 2 | c when t > 3', False, "and none does"),
    ],
)
def test_where_nobody_answers_it_is_an_expectation_that_there_is_an_answer(
    session: Session, ask: str, expected: bool, text: str
) -> None:
    session.is_attended = False
    outcome = run(session, ask)
    assert (outcome.ok, outcome.expect) == (expected, expected)
    assert text in outcome.text
    assert not session.hidden


def test_play_fails_where_a_question_has_no_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    synthetic("lstm", 6, 2, script='goto 3\nask "a" = t\nask "b" = c[0] / 0').save(tmp_path / "run.trace")
    assert main(["play", str(tmp_path / "run.trace"), "--json"]) == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line.get("expect") for line in lines] == [None, True, False]

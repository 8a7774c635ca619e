"""Grades the answer to a question: what is right, by which arithmetic, and how close the answer is."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import Literal

from lstmtui.analysis.equations import equations_at
from lstmtui.cells.notation import plain
from lstmtui.errors import UserError
from lstmtui.expressions import Expression, ExpressionError, open_vocabulary
from lstmtui.expressions.at_cursor import expectation, worked_out
from lstmtui.session.language.problem import shown
from lstmtui.session.language.question import Choice, Question
from lstmtui.view import View
from lstmtui.wording import listed

CLOSE = 4
"""So many times the tolerance is still close."""
DIGITS = 4

_ARITHMETIC = re.compile(r"[-+*/().\d\seE]+")
"""Numbers and signs: an answer reads nothing of the run."""
_ONE_UNIT = re.compile(r"([^\W\d]\w*)\[(\d{1,9})\]")

Grade = Literal["right", "close", "wrong"]


@dataclass(frozen=True)
class Solution:
    """The right answer, and why it is right."""

    arithmetic: str
    """How it comes about, down to the value."""
    value: float | None = None
    """The number that was asked for."""
    choice: str = ""
    """The text of the choice that holds."""


def solution(question: Question, view: View) -> Solution:
    """The answer to a question, worked out of the run.

    Raises:
        UserError: there is none: the value is no number here, or not one choice alone holds.
    """
    if question.value is not None:
        return _value(question.value, view)
    if not question.is_decided_by_run:
        return Solution(question.choices[0].text, choice=question.choices[0].text)
    held = [(choice, text) for choice in question.choices if (text := _reason(choice, view)) is not None]
    held = held or [(choice, choice.text) for choice in question.choices if choice.when is None]
    if len(held) != 1:
        which = listed([choice.text for choice, _ in held]) or "none"
        raise UserError(f"one of the choices should hold here, and {which} does")
    choice, text = held[0]
    return Solution(text, choice=choice.text)


def graded(question: Question, view: View, right: Solution, answer: str) -> tuple[Grade, str]:
    """How near an answer comes, and that with the arithmetic in a sentence.

    Raises:
        UserError: the answer is none: no number, or no choice.
    """
    if right.value is None:
        is_right = _chosen(question, answer) == right.choice
        return (
            ("right", f"right: {right.arithmetic}")
            if is_right
            else ("wrong", f"wrong, the answer is: {right.arithmetic}")
        )
    number = _number(answer, view)
    distance, size = abs(number - right.value), abs(right.value)
    if distance <= question.tolerance * size:
        return "right", f"right: {right.arithmetic}"
    grade: Grade = "close" if distance <= CLOSE * question.tolerance * size else "wrong"
    return grade, f"{grade}, {plain(number, DIGITS)} is {_off(distance, size)}: {right.arithmetic}"


def _off(distance: float, size: float) -> str:
    """How far an answer lies from a value of this size, in words."""
    if not size:
        return "not it"
    share = 100 * distance / size
    if share > 1000:
        return "far off"
    return f"{share:.0f} % off" if share >= 1 else f"{share:.1g} % off"


def _value(expression: Expression, view: View) -> Solution:
    result = worked_out(view, expression)
    if result.error:
        raise UserError(f"{expression.text}: {result.error}")
    if not math.isfinite(result.value):
        raise UserError(f"{expression.text} is {plain(result.value)} here, which nobody can predict")
    return Solution(_equation(expression, view) or result.arithmetic, result.value)


def _equation(expression: Expression, view: View) -> str:
    """The cell's own equation of one unit of a quantity, with its numbers; empty for anything else."""
    match = _ONE_UNIT.fullmatch(expression.text.strip())
    if match is None:
        return ""
    at_unit = replace(view, cursor=replace(view.cursor, unit=int(match[2])))
    equation = next((e for e in equations_at(at_unit) if e.quantity == match[1]), None)
    if equation is None:
        return ""
    sides = [equation.left, equation.symbols, *equation.numbers[-1:]]
    written = ["".join(text for text, _ in side) for side in sides]
    return " = ".join([*written, plain(equation.value, DIGITS)])


def _reason(choice: Choice, view: View) -> str | None:
    """Why a choice is right, with the numbers; None where it is not."""
    if choice.when is None:
        return None
    result = expectation(view, choice.when)
    if result.error:
        raise UserError(f"{choice.when.text}: {result.error}")
    operands = f", with {result.operands}" if result.operands else ""
    return f"{choice.text}, since {choice.when.text}{operands}" if result.held else None


def _number(answer: str, view: View) -> float:
    """A number as it may be typed, also as one that is still to be worked out: 0.45, 1e-3, 0.9**5."""
    if _ARITHMETIC.fullmatch(answer):
        try:
            result = worked_out(view, Expression(answer, open_vocabulary()))
        except ExpressionError as error:
            raise UserError(f"{shown(answer)}: {error.wrong}") from None
        if not result.error:
            return result.value
    raise UserError(f"the answer is a number, as in `answer 0.45` or `answer 0.9**5`, not {shown(answer)}")


def _chosen(question: Question, answer: str) -> str:
    """The choice that an answer names: by its number, or by the beginning of its text."""
    options, word = question.options, answer.strip().casefold()
    if word.isascii() and word.isdigit() and 1 <= int(word) <= len(options):
        return options[int(word) - 1]
    begun = [option for option in options if option.casefold().startswith(word)]
    exact = [option for option in begun if option.casefold() == word]
    if len(exact or begun) != 1:
        numbered = ", ".join(f"{number} {option}" for number, option in enumerate(options, 1))
        raise UserError(f"the answer is one of {numbered}")
    return (exact or begun)[0]

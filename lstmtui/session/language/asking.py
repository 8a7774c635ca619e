"""What follows `ask`: a question in quotes, and an expression or choices."""

from __future__ import annotations

import re
from typing import Any

from lstmtui.session.language.question import TOLERANCE, Choice, Question
from lstmtui.session.language.reader import Reader

Arguments = tuple[Any, ...]

_EQUALS = re.compile(r"=")
_QUOTED = re.compile(r'"([^"]*\S[^"]*)"')
_BAR = re.compile(r"\|")
_WHEN = re.compile(r"\bwhen\b")
_WITHIN = re.compile(r"\bwithin\b")
_PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?)\s*%")


def question(line: Reader) -> Arguments:
    """(a Question,)."""
    text = line.take(_QUOTED)
    if text is None:
        line.fail('the question is missing, in quotes, as in ask "How much is left?" = c[0]')
    if line.take(_EQUALS):
        within = _WITHIN.search(line.text, line.at)
        value = line.condition("an expression is missing after =", within.start() if within else None)
        return (Question(text[1].strip(), value, _tolerance(line) if within else TOLERANCE),)
    line.keyword("choose")
    choices = [_choice(line)]
    while line.take(_BAR):
        choices.append(_choice(line))
    if len(choices) < 2:
        line.fail("one choice is not enough; choices are separated by |")
    return (Question(text[1].strip(), choices=tuple(choices)),)


def _tolerance(line: Reader) -> float:
    """within P %, as a share."""
    line.keyword("within")
    at = line.at
    match = line.take(_PERCENT)
    if match is None or not 0 < float(match[1]) <= 100:
        line.fail("within takes a percentage above 0 and at most 100, as in within 5 %", at)
    return float(match[1]) / 100


def _choice(line: Reader) -> Choice:
    """TEXT [when EXPR], up to | or the end."""
    bar = line.text.find("|", line.at)
    end = len(line.text) if bar < 0 else bar
    when = _WHEN.search(line.text, line.at, end)
    text = line.text[line.at : when.start() if when else end].strip()
    if not text:
        line.fail("a choice is missing")
    line.skip_to(when.end() if when else end)
    return Choice(text, line.condition("an expression is missing after when", end) if when else None)

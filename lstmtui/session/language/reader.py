"""One line of the language, read from left to right."""

from __future__ import annotations

import math
import re
from typing import NoReturn

from lstmtui.closest import closest
from lstmtui.expressions import Expression, ExpressionError, Vocabulary, cell_vocabulary
from lstmtui.printable import printable
from lstmtui.session.language.problem import SHOWN, ScriptError, ScriptProblem, shown

LONGEST_LINE = 10_000
LARGEST = 10**15
"""Larger whole numbers are refused."""

_WORD = re.compile(r"\S+")
_WHOLE = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?|inf|nan)")


class Reader:
    """A position in a line, which moves on as words are read.

    Args:
        text: the line; what a terminal would act on is replaced, character by character, before it is read.
        line: its number in the script, for messages.
        vocabulary: the words of its expressions; None: those of the cells.
    """

    def __init__(self, text: str, line: int = 1, vocabulary: Vocabulary | None = None) -> None:
        self.line = line
        self.vocabulary = vocabulary or cell_vocabulary()
        self.at = 0
        self.text = ""
        if len(text) > LONGEST_LINE:
            self.fail(f"a line has at most {LONGEST_LINE:,} characters", LONGEST_LINE)
        self.text = printable(text).partition("#")[0].rstrip()
        self._skip()

    @property
    def done(self) -> bool:
        """Whether nothing is left."""
        return self.at >= len(self.text)

    def fail(self, wrong: str, at: int | None = None, suggestion: str = "") -> NoReturn:
        """Raise a mistake at character `at`, counted from 0; if left out, at the next character."""
        column = (self.at if at is None else at) + 1
        raise ScriptError([ScriptProblem(self.line, column, wrong, suggestion)])

    def unknown(self, wrong: str, topic: str, at: int, suggestion: str = "") -> NoReturn:
        """Raise a mistake about a name: what was probably meant, else the topic that lists what there is."""
        self.fail(wrong if suggestion else f"{wrong}; `help {topic}` lists them", at, suggestion)

    def word(self, missing: str) -> str:
        """The next word; if there is none, `missing` is the mistake."""
        match = _WORD.match(self.text, self.at)
        if match is None:
            self.fail(missing)
        self._move(match.end())
        return match[0]

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """What the pattern matches next, if it does."""
        match = pattern.match(self.text, self.at)
        if match:
            self._move(match.end())
        return match

    def keyword(self, *words: str) -> str:
        """One of the words, or a mistake with the nearest of them."""
        at = self.at
        either = " or ".join(words)
        word = self.word(f"{either} is missing")
        if word not in words:
            self.fail(f"{either} is expected here, not {shown(word)}", at, closest(word, words))
        return word

    def whole(self, name: str, least: int | None = 0) -> int:
        """The next word as a whole number of at least `least`; None: of any sign."""
        at = self.at
        word = self.word(f"{name} is missing: a whole number")
        if not _WHOLE.fullmatch(word):
            self.fail(f"{name} is a whole number, not {shown(word)}", at)
        if len(word) > 16 or abs(int(word)) > LARGEST:
            self.fail(f"{name} is too large: {shown(word)}", at)
        if least is not None and int(word) < least:
            self.fail(f"{name} must be {least} or more, is {word}", at)
        return int(word)

    def number(self, name: str) -> float:
        """The next word as a number, which may be inf or nan."""
        at = self.at
        word = self.word(f"{name} is missing: a number")
        if not _NUMBER.fullmatch(word):
            self.fail(f"{name} is a number, not {shown(word)}", at)
        value = float(word)
        if math.isinf(value) and "inf" not in word:
            self.fail(f"{name} is too large: {shown(word)}", at)
        return value

    def rest(self, missing: str) -> str:
        """Everything that is left."""
        if self.done:
            self.fail(missing)
        text = self.text[self.at :]
        self._move(len(self.text))
        return text

    def skip_to(self, at: int) -> None:
        """Continue at character `at`."""
        self._move(at)

    def expression(self, missing: str, stop: int | None = None) -> Expression:
        """The text before character `stop` as an expression; if there is none, `missing` is the mistake."""
        start = self.at
        end = len(self.text) if stop is None else stop
        text = self.text[start:end].rstrip()
        if not text:
            self.fail(missing)
        self._move(end)
        try:
            return Expression(text, self.vocabulary)
        except ExpressionError as error:
            self.fail(error.wrong, start + error.column, error.suggestion)

    def condition(self, missing: str, stop: int | None = None) -> Expression:
        """The same where one value is needed, not one for each unit."""
        start = self.at
        expression = self.expression(missing, stop)
        if expression.vector:
            meant = f"any({expression.text})" if len(expression.text) <= SHOWN else ""
            self.fail("this is a value for each unit; write any(…) or all(…)", start, meant)
        return expression

    def end(self, usage: str) -> None:
        """Raise a mistake if anything is left."""
        if not self.done:
            self.fail(f"{shown(self.text[self.at :])} does not belong here; the command is: {usage}")

    def _move(self, at: int) -> None:
        self.at = at
        self._skip()

    def _skip(self) -> None:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1

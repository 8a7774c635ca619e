"""The first check of an expression's text: what may be passed to Python's parser.

Only words that are known, decimal numbers, operators and brackets in a plausible order pass, so that the
parser never meets hostile text and every mistake has its exact column.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lstmtui.closest import closest
from lstmtui.expressions.error import ExpressionError
from lstmtui.expressions.vocabulary import Vocabulary
from lstmtui.words import CONNECTIVES, FUNCTIONS

LONGEST_TEXT = 2_000
MOST_TOKENS = 1_000
DEEPEST_BRACKETS = 50

_TOKEN = re.compile(
    r"(?P<space>[ \t]+)"
    r"|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<word>[A-Za-z_]\w*)"
    r"|(?P<operator>\*\*|//|<=|>=|==|!=|[-+*/%<>])"
    r"|(?P<bracket>[()\[\]])"
    r"|(?P<comma>,)",
    re.ASCII,
)
_NAME = re.compile(r"[^\W\d]\w*")
_CLOSING = {"(": ")", "[": "]"}

_HINTS = {
    ".": ("there are no attributes", ""),
    "=<": ("there is no operator =<", "<="),
    "=>": ("there is no operator =>", ">="),
    "=": ("an expression cannot assign", "=="),
    ":": ("there are no slices; c[3] is one unit", ""),
    "&": ("there is no operator &", "and"),
    "|": ("there is no operator |", "or"),
    "^": ("there is no operator ^", "**"),
    "~": ("there is no operator ~", "not"),
    "!": ("there is no operator !", "not"),
    '"': ("there are no strings", ""),
    "'": ("there are no strings", ""),
    "−": ("the minus sign here is -", "-"),
    "×": ("the multiplication sign here is *", "*"),
    "·": ("the multiplication sign here is *", "*"),
    "⊙": ("the multiplication sign here is *", "*"),
    "÷": ("the division sign here is /", "/"),
    "≤": ("the sign for at most here is <=", "<="),
    "≥": ("the sign for at least here is >=", ">="),
    "≠": ("the sign for unequal here is !=", "!="),
}
_WORDS = {"is": "==", "None": "", "True": "1", "False": "0", "length": "len", "size": "len", "shape": "len"}


@dataclass(frozen=True)
class Token:
    """A word, number, operator, bracket or comma."""

    kind: str
    text: str
    column: int

    @property
    def stop(self) -> int:
        """The column after it."""
        return self.column + len(self.text)


def screen(text: str, vocabulary: Vocabulary) -> None:
    """Raise an error if something is wrong with `text`.

    Args:
        text: anything at all.
        vocabulary: the words it may use; one with letters beyond ASCII is let through where it is a quantity.

    Raises:
        ExpressionError: it is too long, too deep, uses a sign or a word that is unknown, or is incomplete.
    """
    if len(text) > LONGEST_TEXT:
        raise ExpressionError(f"an expression has at most {LONGEST_TEXT:,} characters", LONGEST_TEXT)
    tokens = list(_tokens(text, vocabulary))
    if not tokens:
        raise ExpressionError("there is no expression")
    if len(tokens) > MOST_TOKENS:
        raise ExpressionError("the expression is too large", tokens[MOST_TOKENS].column)
    _check_brackets(tokens, text)
    _check_order(tokens, text)


def _tokens(text: str, vocabulary: Vocabulary) -> Iterator[Token]:
    """The tokens of the text, without the space between them."""
    column, before = 0, None
    while column < len(text):
        name = _NAME.match(text, column)
        is_foreign = name is not None and not name[0].isascii() and vocabulary.has_quantity(name[0])
        match = name if is_foreign else _TOKEN.match(text, column)
        if match is None:
            raise _unknown_sign(text, column, before, vocabulary)
        token = Token("word" if is_foreign else str(match.lastgroup), match[0], column)
        if token.kind == "word":
            _check_word(token, before, vocabulary)
        elif token.kind == "number" and before and before.stop == column and before.kind == "number":
            raise ExpressionError(f"{before.text}{token.text} is not a number", before.column)
        column = match.end()
        if token.kind != "space":
            yield token
        before = token


def _unknown_sign(text: str, column: int, before: Token | None, vocabulary: Vocabulary) -> ExpressionError:
    for sign, (wrong, suggestion) in _HINTS.items():
        if text.startswith(sign, column):
            if sign == "." and before is not None and before.kind == "word":
                suggestion = _instead_of_attribute(before.text, text[column + 1 :], vocabulary)
            return ExpressionError(wrong, column, suggestion)
    unknown = text[column]
    shown = unknown if unknown.isprintable() else f"U+{ord(unknown):04X}"
    return ExpressionError(f"unknown sign {shown}", column)


def _instead_of_attribute(owner: str, rest: str, vocabulary: Vocabulary) -> str:
    """`len(c)` for `c.shape`, `mean(c)` for `c.mean()`."""
    match = re.match(r"[A-Za-z]\w{0,20}", rest, re.ASCII)
    name = _WORDS.get(match[0], match[0]) if match else ""
    return f"{name}({owner})" if name in FUNCTIONS and vocabulary.has_quantity(owner) else ""


def _check_word(token: Token, before: Token | None, vocabulary: Vocabulary) -> None:
    word = token.text
    if before is not None and before.kind == "number":
        meant = f"{before.text}*{word}" if word in vocabulary.words - set(CONNECTIVES) else ""
        raise ExpressionError(f"{before.text}{word[:40]} is not a number", before.column, meant)
    if word not in vocabulary.words and not vocabulary.has_quantity(word):
        meant = _WORDS.get(word, closest(word, vocabulary.words))
        raise ExpressionError(f"{word[:40]} is neither a quantity nor a function", token.column, meant)


def _check_brackets(tokens: list[Token], text: str) -> None:
    opened: list[Token] = []
    for token in tokens:
        if token.kind != "bracket":
            continue
        if token.text in _CLOSING:
            opened.append(token)
            if len(opened) > DEEPEST_BRACKETS:
                raise ExpressionError(f"brackets are nested more than {DEEPEST_BRACKETS} deep", token.column)
        elif not opened:
            raise ExpressionError(f"{token.text} closes nothing", token.column)
        elif _CLOSING[(last := opened.pop()).text] != token.text:
            raise ExpressionError(f"{token.text} cannot close {last.text}", token.column, _CLOSING[last.text])
    if opened:
        meant = text.rstrip() + "".join(_CLOSING[token.text] for token in reversed(opened))
        raise ExpressionError(
            f"{opened[-1].text} is never closed", opened[-1].column, meant if len(meant) <= 60 else ""
        )


def _check_order(tokens: list[Token], text: str) -> None:
    """Values and operators must take turns."""
    value_due, before = True, None
    for token in tokens:
        sign = token.text
        is_value = token.kind in ("number", "word") and sign not in ("and", "or")
        if value_due:
            no_arguments = sign == ")" and before is not None and before.text == "("
            if not (is_value or sign in ("(", "+", "-") or no_arguments):
                raise ExpressionError(f"a value is missing before {sign}", token.column)
            value_due = sign in ("(", "+", "-", "not")
        else:
            if is_value:
                raise ExpressionError(f"an operator is missing before {sign}", token.column)
            value_due = sign not in (")", "]")
        before = token
    if value_due:
        raise ExpressionError("a value is missing at the end", len(text.rstrip()))

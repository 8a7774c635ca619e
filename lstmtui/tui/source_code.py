"""Source text as coloured lines: untrusted, of any size, worked out once for each function."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from textwrap import dedent

from lstmtui.printable import printable
from lstmtui.trace.source import Function
from lstmtui.tui.widgets.spans import Spans

LONGEST_LINE = 500
"""Characters of a line that are kept: more than any screen shows."""
LARGEST_TEXT = 200_000
"""Characters up to which text is coloured; what is longer is shown plain."""


@lru_cache(maxsize=64)
def code_lines(function: Function, names: tuple[tuple[str, str], ...]) -> tuple[Spans, ...]:
    """The lines of a function without their common indentation, each ((text, role), …).

    Args:
        function: whose text it is.
        names: (as the source writes it, role) of each name that has a colour of its own.
    """
    if not function.text:
        return ()
    lines = function.text.rstrip().split("\n")
    # cut before anything else is done to them, and safe before a lexer can take \r for the end of one
    safe = (printable(line[:LONGEST_LINE].expandtabs(4)).rstrip() for line in lines)
    text = dedent("\n".join(safe))
    if len(text) > LARGEST_TEXT:
        return tuple(((line, "text"),) for line in text.split("\n"))
    return tuple(_lines(_coloured(text, dict(names))))


def _coloured(text: str, names: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """(piece, role), in order: every character of the text once."""
    from pygments.lexers.python import PythonLexer
    from pygments.token import Token

    roles = (
        (Token.Keyword, "code-keyword"),
        (Token.Operator.Word, "code-keyword"),
        (Token.Comment, "code-comment"),
        (Token.Literal.String, "code-string"),
        (Token.Literal.Number, "number"),
        (Token.Operator, "sign"),
        (Token.Punctuation, "sign"),
    )
    before = ""
    for kind, piece in PythonLexer(stripnl=False, ensurenl=False).get_tokens(text):
        if kind in Token.Name:
            written = before + piece if before.endswith(".") else piece
            yield piece, names.get(written, "text")
            before = written
        else:
            yield piece, next((role for token, role in roles if kind in token), "text")
            before = f"{before}." if piece == "." else ""


def _lines(pieces: Iterable[tuple[str, str]]) -> Iterator[Spans]:
    line: list[tuple[str, str]] = []
    for piece, role in pieces:
        first, *others = piece.split("\n")
        if first:
            line.append((first, role))
        for other in others:
            yield tuple(line)
            line = [(other, role)] if other else []
    yield tuple(line)

"""One paragraph of Markdown as spans: bold, emphasis and code by their roles, everything else as it is."""

from __future__ import annotations

from functools import lru_cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

from lstmtui.printable import printable
from lstmtui.tui.widgets.spans import Spans

_ROLES = {"strong_open": "title", "em_open": "accent"}


@lru_cache(maxsize=256)
def markdown_spans(text: str) -> Spans:
    """The text with the role of each piece; what is no bold, emphasis or code is shown as it was written."""
    spans: list[tuple[str, str]] = []
    for token in MarkdownIt("zero").enable(["emphasis", "backticks"]).parseInline(printable(text)):
        spans += _pieces(token.children or [])
    return tuple(spans)


def _pieces(tokens: list[Token]) -> list[tuple[str, str]]:
    pieces, roles = [], ["text"]
    for token in tokens:
        if token.type in _ROLES:
            roles.append(_ROLES[token.type])
        elif token.nesting < 0:
            roles.pop()
        elif token.type == "code_inline":
            pieces.append((token.content, "key"))
        elif token.content:
            pieces.append((token.content, roles[-1]))
    return pieces

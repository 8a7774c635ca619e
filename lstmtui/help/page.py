"""A topic of the reference, and any Markdown, laid out in lines for a width."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import ClassVar

from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import CodeBlock, Heading, Markdown, MarkdownElement
from rich.padding import Padding
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from rich.theme import Theme

from lstmtui.help.topics import TOPICS, overview, topic_of, topic_text

Line = tuple[tuple[str, str], ...]
"""((text, role), …); a role is title, accent, key or text."""


def page_lines(topic: str, width: int) -> tuple[Line, ...]:
    """A topic as lines of at most `width` columns.

    Args:
        topic: one of `topics.TOPICS`.
        width: in columns.
    """
    return markdown_lines(topic_text(topic), width)


def page(topic: str, width: int = 80) -> str:
    """The same as plain text, in which code within a sentence keeps its quotes."""
    parts = _CODE_AND_TABLES.split(topic_text(topic))
    parts[::2] = [_CODE.sub(r"`` `\1` ``", prose) for prose in parts[::2]]
    lines = markdown_lines("".join(parts), width)
    return "\n".join("".join(text for text, _ in line) for line in lines)


def reference(word: str | None) -> str:
    """The topic that a word is, or that is about it, as plain text; None: the list of topics."""
    return overview() if word is None else page(topic_of(word))


def line_about(word: str, lines: Sequence[Line]) -> int:
    """The line of a page that a word is described in: its row of a table, else its heading; 0 for a topic."""
    texts = ["".join(text for text, _ in line).strip().casefold() for line in lines]
    word = word.casefold()
    stem = word.removesuffix("s")
    rows = (n for n, text in enumerate(texts) if re.match(rf"{re.escape(word)}(?!\w)", text))
    headings = (n for n, line in enumerate(lines) if line and line[0][1] == "title" and stem in texts[n])
    return 0 if word in TOPICS else next(rows, next(headings, 0))


_CODE_AND_TABLES = re.compile(r"(^```.*?^```$|^    .*?$|^\|.*?$)", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`]+)`")


@lru_cache(maxsize=64)
def markdown_lines(markdown: str, width: int) -> tuple[Line, ...]:
    """Lines of at most `width` columns, without spaces at their ends, and never two empty ones in a row."""
    console = Console(width=width, theme=_THEME, color_system=None, legacy_windows=False)
    lines: list[Line] = []
    for row in console.render_lines(_Page(markdown), pad=False):
        line = _stripped(row)
        if line or (lines and lines[-1]):
            lines.append(line)
    return tuple(lines)


def _role(name: str) -> Style:
    return Style(meta={"role": name})


_THEME = Theme(
    {
        **{f"markdown.h{level}": _role("title") for level in range(1, 7)},
        "markdown.table.header": _role("title"),
        "markdown.strong": _role("title"),
        "markdown.em": _role("accent"),
        "markdown.code": _role("key"),
        "markdown.code_block": _role("key"),
    }
)


class _Heading(Heading):
    """A heading at the left edge."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        self.text.justify = "left"
        yield self.text


class _Code(CodeBlock):
    """Code as it stands, indented, and not highlighted."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        code = Text(str(self.text).rstrip(), style="markdown.code_block", no_wrap=True, overflow="ignore")
        yield Padding(code, (0, 0, 0, 2), expand=False)


class _Page(Markdown):
    elements: ClassVar[dict[str, type[MarkdownElement]]] = {
        **Markdown.elements,
        "heading_open": _Heading,
        "fence": _Code,
        "code_block": _Code,
    }


def _stripped(row: list[Segment]) -> Line:
    line = [(segment.text, _role_of(segment)) for segment in row]
    while line and not line[-1][0].rstrip():
        line.pop()
    return (*line[:-1], (line[-1][0].rstrip(), line[-1][1])) if line else ()


def _role_of(segment: Segment) -> str:
    return str(segment.style.meta.get("role", "text")) if segment.style else "text"

"""The tables of Markdown, as the reference has them."""

from __future__ import annotations

from dataclasses import dataclass, field

from markdown_it import MarkdownIt
from markdown_it.token import Token

from lstmtui.help import topic_text


@dataclass
class Table:
    """A table under its heading; a cell is its text, with `…` around code."""

    heading: str
    rows: list[list[str]] = field(default_factory=list)

    @property
    def columns(self) -> list[str]:
        return self.rows[0]

    @property
    def first(self) -> list[str]:
        """What is described, in each line: the first cell without its quotes."""
        assert all(row[0].startswith("`") and row[0].endswith("`") for row in self.rows[1:]), self
        return [row[0][1:-1] for row in self.rows[1:]]


def tables(topic: str) -> list[Table]:
    """Every table of a topic of the reference."""
    found: list[Table] = []
    heading, inside = "", ""
    for token in MarkdownIt("commonmark").enable("table").parse(topic_text(topic)):
        inside = token.type.removesuffix("_open") if token.type.endswith("_open") else inside
        if token.type == "table_open":
            found.append(Table(heading))
        elif token.type == "tr_open":
            found[-1].rows.append([])
        elif token.type == "inline" and inside == "heading":
            heading = token.content
        elif token.type == "inline" and inside in ("th", "td"):
            found[-1].rows[-1].append(_text(token))
    return found


def table(topic: str, heading: str = "", column: str = "") -> Table:
    """The only table under a heading, or the only one whose first column is called so."""
    found = [t for t in tables(topic) if heading in ("", t.heading) and column in ("", t.columns[0])]
    assert len(found) == 1, (topic, heading, column, found)
    return found[0]


def _text(inline: Token) -> str:
    return "".join(f"`{t.content}`" if t.type == "code_inline" else t.content for t in inline.children or [])

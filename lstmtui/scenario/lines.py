"""Where each key of a TOML file stands; `tomllib` keeps no positions."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

Location: TypeAlias = tuple[str | int, ...]
"""Where something is in a TOML file: ("model", 1, "hidden_size")."""

_TOKEN = re.compile(
    r"""
      (?P<skip>\#[^\n]*|[ \t\r]+)
    | (?P<text>\"{3}(?:\\.|[^\\])*?\"{3,5}|'{3}.*?'{3,5}|"(?:\\.|[^"\\\n])*"|'[^'\n]*')
    | (?P<newline>\n)
    | (?P<mark>[\[\]{}=,.])
    | (?P<bare>[^\s\#"'\[\]{}=,.]+|.)
    """,
    re.VERBOSE | re.DOTALL,
)


class _Token(NamedTuple):
    kind: str
    text: str
    line: int


def dotted(location: Location) -> str:
    """A location as it is written in messages: model[1].hidden_size."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return text.removeprefix(".")


class Lines:
    """The lines of a TOML document's keys, counted from 1."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._next = next(self._tokens)
        self._lines: dict[Location, int] = {}
        self._arrays: dict[Location, int] = {}
        try:
            self._document()
        except RecursionError:
            return  # what has been found so far still serves; the rest falls back to its table

    def find(self, location: Location) -> int | None:
        """The line of `location`, or of the nearest thing around it; None where nothing is known."""
        for length in range(len(location), 0, -1):
            if location[:length] in self._lines:
                return self._lines[location[:length]]
        return None

    def _take(self) -> _Token:
        token, self._next = self._next, next(self._tokens)
        return token

    def _skip_lines(self) -> None:
        while self._next.kind == "newline":
            self._take()

    def _document(self) -> None:
        table: Location = ()
        while self._next.kind != "end":
            if self._next.kind == "newline":
                self._take()
            elif self._next.text == "[":
                table = self._header()
            else:
                self._assignment(table)
                while self._next.kind not in ("newline", "end"):
                    self._take()

    def _header(self) -> Location:
        """A [table] or [[array of tables]] line; gives the location that its keys belong to."""
        line = self._take().line
        is_array = self._next.text == "["
        if is_array:
            self._take()
        parts = self._key("]")
        while self._next.kind not in ("newline", "end"):
            self._take()
        location: Location = ()
        for position, part in enumerate(parts):
            location = (*location, part)
            last = position == len(parts) - 1
            if last and is_array:
                self._lines.setdefault(location, line)
                self._arrays[location] = self._arrays.get(location, -1) + 1
            if location in self._arrays:
                location = (*location, self._arrays[location])
        self._lines.setdefault(location, line)
        return location

    def _assignment(self, table: Location) -> None:
        line = self._next.line
        location = table
        for part in self._key("="):
            location = (*location, part)
            self._lines.setdefault(location, line)
        if self._next.text == "=":
            self._take()
        self._value(location)

    def _key(self, end: str) -> list[str]:
        """The parts of a dotted key, up to `end` (which stays) or the end of the line."""
        parts = []
        while self._next.kind not in ("newline", "end") and self._next.text != end:
            token = self._take()
            if token.kind == "text":
                parts.append(_unquoted(token.text))
            elif token.kind == "bare":
                parts.append(token.text)
        return parts

    def _value(self, location: Location) -> None:
        opening = self._next.text if self._next.kind == "mark" else ""
        if opening == "[":
            self._array(location)
        elif opening == "{":
            self._inline_table(location)
        else:
            while not (self._next.kind in ("newline", "end") or self._next.text in (",", "]", "}")):
                self._take()

    def _array(self, location: Location) -> None:
        start, index = self._take().line, 0
        self._skip_lines()
        while self._next.kind != "end" and self._next.text != "]":
            if self._next.line != start:
                self._lines.setdefault((*location, index), self._next.line)
            self._value((*location, index))
            self._skip_lines()
            if self._next.text == ",":
                self._take()
                index += 1
            elif self._next.text != "]":
                self._take()
            self._skip_lines()
        self._take_if("]")

    def _inline_table(self, location: Location) -> None:
        self._take()
        self._skip_lines()
        while self._next.kind != "end" and self._next.text != "}":
            self._assignment(location)
            self._skip_lines()
            if self._next.text != "}":
                self._take()
            self._skip_lines()
        self._take_if("}")

    def _take_if(self, text: str) -> None:
        if self._next.text == text:
            self._take()


def _tokens(text: str) -> Iterator[_Token]:
    """The tokens of a TOML document, then `end` for ever."""
    line = 1
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or "bare"
        if kind != "skip":
            yield _Token(kind, match.group(), line)
        line += match.group().count("\n")
    while True:
        yield _Token("end", "", line)


def _unquoted(text: str) -> str:
    try:
        return next(iter(tomllib.loads(text + "=0")))
    except ValueError:
        return text.strip("\"'")

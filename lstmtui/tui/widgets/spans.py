"""Pieces of text with a role each, as styled segments that are safe for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TypeAlias

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment

from lstmtui.printable import printable
from lstmtui.tui.theme import Look, style_for

Spans: TypeAlias = tuple[tuple[str, str], ...]
"""((text, role), …); a role is a quantity name or one of `theme.ROLES`."""

_ASCII = str.maketrans(
    {
        **dict(zip("₀₁₂₃₄₅₆₇₈₉⁰¹²³⁴⁵⁶⁷⁸⁹", "01234567890123456789", strict=True)),
        **{"₋": "-", "⁻": "-", "−": "-", "–": "-", "—": "-", "·": "*", "⊙": "*", "×": "x", "…": "~"},
        **{
            "σ": "s",
            "∂": "d",
            "‖": "|",
            "→": ">",
            "←": "<",
            "↑": "^",
            "↓": "v",
            "▸": ">",
            "′": "'",
            "│": "|",
        },
        **{
            "─": "-",
            "━": "-",
            "•": "*",
            "▌": "|",
            "●": "*",
            "○": "o",
            "▼": "V",
            "▁": "_",
            "█": "#",
            "±": "+-",
            "Σ": "S",
            "Π": "P",
            "Δ": "D",
            "≤": "<",
            "≥": ">",
        },
    }
)


@lru_cache(maxsize=8192)
def safe(text: str, look: Look) -> str:
    """`text` without control characters, and in ASCII mode without anything beyond ASCII."""
    if not text.isprintable():
        text = printable(text)
    if look.ascii and not text.isascii():
        text = text.translate(_ASCII).encode("ascii", "replace").decode()
    return text


def segments(spans: Iterable[tuple[str, str]], look: Look) -> list[Segment]:
    """Styled segments, neighbours of one style merged: each segment costs its style in bytes."""
    merged: list[Segment] = []
    for text, role in spans:
        text = safe(text, look)
        if not text:
            continue
        style = style_for(role, look)
        if merged and (merged[-1].style is style or (text.isspace() and not _visible_blank(merged[-1]))):
            merged[-1] = Segment(merged[-1].text + text, merged[-1].style)
        else:
            merged.append(Segment(text, style))
    return merged


def _visible_blank(segment: Segment) -> bool:
    """Whether a space in this segment's style could be seen."""
    style = segment.style
    return style is not None and bool(style.bgcolor or style.underline or style.reverse)


def crop(spans: Sequence[tuple[str, str]], width: int, look: Look) -> Spans:
    """The spans within `width` cells, with … where something was cut."""
    spans = tuple((safe(text, look), role) for text, role in spans)
    if sum(cell_len(text) for text, _ in spans) <= width:
        return spans
    kept: list[tuple[str, str]] = []
    room = width - 1
    for text, role in spans:
        size = cell_len(text)
        if size > room:
            kept.append((set_cell_size(text, room).rstrip() if room > 0 else "", role))
            break
        kept.append((text, role))
        room -= size
    if width > 0:
        kept.append(("~" if look.ascii else "…", "muted"))
    return tuple((text, role) for text, role in kept if text)


def crop_words(text: str, width: int, look: Look) -> str:
    """A text within `width` cells: whole words, and … where any is left out; of one word what fits."""
    text = safe(text, look)
    if cell_len(text) <= width:
        return text
    more = "~" if look.ascii else "…"
    words = text.split(" ")
    while len(words) > 1 and cell_len(" ".join(words)) + 2 > width:
        words.pop()
    if cell_len(words[0]) + 2 > width:
        return set_cell_size(words[0], width - 1) + more if width > 0 else ""
    return f"{' '.join(words).rstrip()} {more}"


def wrap(spans: Sequence[tuple[str, str]], width: int, look: Look) -> list[Spans]:
    """The spans over as many lines of `width` cells as they need, broken at spaces where possible.

    Lines after the first are indented as the first one is, as far as that leaves them room; a mark of the
    role "cursor" at its beginning stands where blanks would.
    """
    if width <= 0:
        return []
    groups = _groups(spans, look)
    first = groups[0][0][0] if groups else ""
    is_marked = bool(spans) and spans[0][1] == "cursor"
    blanks = cell_len(safe(spans[0][0], look)) if is_marked else len(first) - len(first.lstrip(" "))
    indent = " " * min(blanks, width // 3)
    lines: list[list[tuple[str, str]]] = [[]]
    room = width
    for group in groups:
        if _cells(group) > room and lines[-1]:
            group = [(group[0][0].lstrip(" "), group[0][1]), *group[1:]]
            lines.append([(indent, "sign")] if indent else [])
            room = width - len(indent)
        for text, role in group:
            while cell_len(text) > room:
                head = _head(text, room) if room > 0 else ""
                lines[-1].append((head, role))
                lines.append([])
                text, room = text[len(head) :], width
            if text:
                lines[-1].append((text, role))
                room -= cell_len(text)
    return [tuple(line) for line in lines]


def _groups(spans: Sequence[tuple[str, str]], look: Look) -> list[list[tuple[str, str]]]:
    """Pieces that belong together: a word may have several roles, and begins with its spaces."""
    groups: list[list[tuple[str, str]]] = []
    for text, role in spans:
        for word in _words(safe(text, look)):
            blank_before = bool(groups) and groups[-1][-1][0].endswith(" ")
            if groups and not word.startswith(" ") and not blank_before:
                groups[-1].append((word, role))
            else:
                groups.append([(word, role)])
    return groups


def _cells(group: Sequence[tuple[str, str]]) -> int:
    return sum(cell_len(text) for text, _ in group)


def _words(text: str) -> Iterable[str]:
    """Words, each with the spaces before it."""
    start = 0
    for at in range(1, len(text)):
        if text[at] == " " and text[at - 1] != " ":
            yield text[start:at]
            start = at
    if text[start:]:
        yield text[start:]


def _head(word: str, width: int) -> str:
    """As much of a word as fits, at least one character."""
    taken = 0
    for at, character in enumerate(word):
        taken += cell_len(character)
        if taken > width:
            return word[: max(1, at)]
    return word

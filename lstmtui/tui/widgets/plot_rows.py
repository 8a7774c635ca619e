"""The rows of a plot as text: dots, axis labels, letters, legend and marks."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len

from lstmtui.analysis.decimation import NAN, NEGATIVE, NEGATIVE_INFINITY, POSITIVE_INFINITY, SEVERAL, ZERO
from lstmtui.tui.palette import MARKS, MIXED
from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.axis import Axis
from lstmtui.tui.widgets.spans import Spans, safe

_BRAILLE = np.array([[1, 8], [2, 16], [4, 32], [64, 128]], np.uint8)
_ASCII_SIGNS = "*+xo#@%&"
_SAMPLES = ("──", "╌╌", "┈┈", "╌─")
_MARKS = {**MARKS, ZERO: "0", NEGATIVE: "-", SEVERAL: MIXED}
_MEANINGS = {
    NAN: " NaN",
    POSITIVE_INFINITY: " +inf",
    NEGATIVE_INFINITY: " −inf",
    ZERO: " = 0",
    NEGATIVE: " < 0",
}
"""What a mark says, behind the letters of its lines."""


@dataclass(frozen=True, eq=False)
class Drawn:
    """One series ready to draw: its extent per pixel column, and its mark per character."""

    tag: str
    role: str
    style: int
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    joined: NDArray[np.bool_]
    marks: NDArray[np.uint8]


def plot_rows(
    drawn: Sequence[Drawn],
    axis: Axis,
    cells: int,
    width: int,
    height: int,
    gutter: int,
    legend: Sequence[Spans],
    look: Look,
) -> list[Spans]:
    """Every row: the legend, the dots between axis and letters, and the marks."""
    marked = _mark_rows([line for line in drawn if line.marks.any()], max(1, height // 3))
    rows = max(0, height - len(legend) - len(marked))
    texts, owners = (_signs if look.ascii else _dots)(drawn, axis, cells, rows)
    labels = axis.labels(rows, look) if gutter > 1 else {}
    tags = _tags(drawn, axis, rows, width - gutter - cells)
    lines = list(legend)
    for row in range(rows):
        body = _owned(texts[row], owners[row], drawn)
        lines.append(
            (*_label(labels.get(row), gutter, look), *_tagged(body, tags.get(row, ()), cells, width - gutter))
        )
    for role, letters, marks in marked:
        lines.append(
            (
                *_marks_label(letters, marks, gutter, look),
                ("".join(_MARKS.get(m, " ") for m in marks.tolist()), role),
            )
        )
    return lines[:height]


def crossed(row: Spans, column: int, look: Look) -> Spans:
    """The row with a line in one column, if that is blank."""
    line, at = ("|" if look.ascii else "│", "rule"), 0
    for number, (text, role) in enumerate(row):
        inside = column - at
        if 0 <= inside < len(text):
            if text[inside] != " ":
                return row
            pieces = ((text[:inside], role), line, (text[inside + 1 :], role))
            return (*row[:number], *(piece for piece in pieces if piece[0]), *row[number + 1 :])
        at += len(text)
    return (*row, *(((" " * (column - at), "text"),) if column > at else ()), line)


def _extents(line: Drawn, axis: Axis, rows: int) -> NDArray[np.bool_]:
    """Which of `rows` dots of each pixel column are set (rows, pixels)."""
    shown = np.isfinite(line.low)
    top = np.where(shown, axis.row_of(np.nan_to_num(line.high), rows), rows)
    bottom = np.where(shown, axis.row_of(np.nan_to_num(line.low), rows), -1)
    left, right = np.arange(len(top) - 1), np.arange(1, len(top))
    joined = line.joined[1:] & shown[1:] & shown[:-1]
    # neighbours further apart than a row meet half way
    for a, b in ((left, right), (right, left)):
        gap = np.where(joined, np.maximum(top[b] - bottom[a] - 1, 0), 0)
        bottom[a] += gap // 2
        top[b] -= gap - gap // 2
    row = np.arange(rows)[:, None]
    return (row >= top) & (row <= bottom)


def _dots(drawn: Sequence[Drawn], axis: Axis, cells: int, rows: int) -> tuple[list[str], NDArray[np.int64]]:
    """Braille text per row, and the series with the most dots in each character (rows, cells)."""
    codes = np.zeros((rows, cells), np.uint8)
    counts = np.zeros((len(drawn), rows, cells), np.int64)
    for index, line in enumerate(drawn):
        dots = _extents(line, axis, rows * 4).reshape(rows, 4, cells, 2)
        codes |= (dots * _BRAILLE[None, :, None, :]).sum(axis=(1, 3), dtype=np.uint8)
        counts[index] = dots.sum(axis=(1, 3))
    points = np.where(codes, codes.astype("<u4") + 0x2800, np.uint32(32)).astype("<u4")
    return [row.tobytes().decode("utf-32-le") for row in points], np.where(codes, counts.argmax(axis=0), -1)


def _signs(drawn: Sequence[Drawn], axis: Axis, cells: int, rows: int) -> tuple[list[str], NDArray[np.int64]]:
    """One sign per character; where lines cross, the last series is on top."""
    owners = np.full((rows, cells), -1, np.int64)
    for index, line in enumerate(drawn):
        owners[_extents(line, axis, rows)] = index
    signs = [_ASCII_SIGNS[line.style % len(_ASCII_SIGNS)] for line in drawn] + [" "]
    return ["".join(signs[owner] for owner in row) for row in owners.tolist()], owners


def _owned(text: str, owners: NDArray[np.int64], drawn: Sequence[Drawn]) -> Spans:
    """A row of dots as spans, one per run of an owner; blanks go with the run before them."""
    at = np.maximum.accumulate(np.where(owners >= 0, np.arange(len(owners)), 0))
    filled = owners[at] if len(owners) else owners
    starts = [*np.flatnonzero(np.diff(filled, prepend=-2)).tolist(), len(text)]
    return tuple(
        (text[start:stop], drawn[filled[start]].role if filled[start] >= 0 else "text")
        for start, stop in itertools.pairwise(starts)
    )


def _tags(drawn: Sequence[Drawn], axis: Axis, rows: int, room: int) -> dict[int, Spans]:
    """The letter of each series by row: where its line ends, or the nearest row that has room.

    Where there are fewer rows than series, as many letters share one as have room in it.
    """
    most = min(-(-len(drawn) // max(1, rows)), max(1, room))
    labels: dict[int, Spans] = {}
    for line in drawn:
        ends = np.flatnonzero(np.isfinite(line.high))
        free = [row for row in range(rows) if len(labels.get(row, ())) < most]
        if not ends.size or not free:
            continue
        end = int(axis.row_of(line.high[ends[-1:]], rows)[0])
        row = min(free, key=lambda r: abs(r - end))
        labels[row] = (*labels.get(row, ()), (line.tag, line.role))
    return labels


def _tagged(body: Spans, tags: Spans, cells: int, room: int) -> Spans:
    """The row with its letters: right of the plot where there is room, else over its last character."""
    if not tags or room > cells:
        return (*body, *tags)
    kept = "".join(text for text, _ in body)[: cells - 1]
    cut: list[tuple[str, str]] = []
    for text, role in body:
        cut.append((text[: len(kept)], role))
        kept = kept[len(text) :]
    return (*(span for span in cut if span[0]), *tags)


def _label(text: str | None, gutter: int, look: Look) -> Spans:
    """The axis at the left of a row, with its label if it has one."""
    if gutter <= 0:
        return ()
    tick, line = ("+", "|") if look.ascii else ("┤", "│")
    if text is None:
        return ((" " * (gutter - 1) + line, "rule"),)
    return ((f"{text[: gutter - 1]:>{gutter - 1}}", "muted"), (tick, "rule"))


def _marks_label(tags: Sequence[str], marks: NDArray[np.uint8], gutter: int, look: Look) -> Spans:
    """Which lines have the marks beside it, and what those mean: these have no place on the axis."""
    if gutter <= 0:
        return ()
    kinds = set(marks.tolist()) - {0}
    meaning = _MEANINGS.get(kinds.pop(), "") if len(kinds) == 1 else ""
    names, first = (",".join(tags), "".join(tags)), f"{tags[0]}…"
    texts = (*(name + meaning for name in names), *names, first + meaning, first, "")
    text = next(safe(text, look) for text in texts if cell_len(text) < gutter)
    return ((f"{text:>{gutter - 1}} ", "muted"),)


def sample(style: int, look: Look) -> str:
    """Two characters that look like a line of a style."""
    return _ASCII_SIGNS[style % len(_ASCII_SIGNS)] * 2 if look.ascii else _SAMPLES[style % len(_SAMPLES)]


def _mark_rows(drawn: Sequence[Drawn], most: int) -> list[tuple[str, list[str], NDArray[np.uint8]]]:
    """(role, letters, marks) of each series that has any; beyond `most` rows the last ones share one."""
    rows = [(line.role, [line.tag], line.marks) for line in drawn]
    if len(rows) <= most:
        return rows
    several = np.stack([marks for _, _, marks in rows[most - 1 :]])
    shared = several.max(axis=0)
    shared[((several != 0) & (several != shared)).any(axis=0)] = SEVERAL
    return [*rows[: most - 1], ("error", [line.tag for line in drawn[most - 1 :]], shared)]

"""The lines of a plot: what tells them apart, and the legend that names them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len

from lstmtui.analysis.norm_plot import NormPlot
from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.plot_rows import sample
from lstmtui.tui.widgets.spans import Spans, safe

DASHES = ((4, 4), (4, 2), (6, 1), (8, 6))
"""(period, drawn) in pixel columns between values, by style."""
_NAME_LENGTHS = (40, 24, 16, 12, 8, 5, 3)
"""Characters of names in a legend, where there is ever less room."""
_GAP, _INDENT = "  ", " "
"""Between the entries of a legend, and before those of a line of it."""


@dataclass(frozen=True, eq=False)
class Series:
    """A line: its values (n,), one per timestep from the page's first on, or what they look like."""

    name: str
    values: NDArray[np.floating] | NormPlot
    """A norm plot is one of the plot's timesteps, on its kind of axis, for as many columns as it has."""
    style: int = 0
    """Chooses tag letter, dashes and ASCII sign."""
    role: str = "h"
    absent: NDArray[np.bool_] | None = None
    """True where there is no value at all: drawn as nothing, where NaN is marked."""
    tag: str = ""
    """The letter at the line's right end and in the legend; left out, A, B, C … by style."""

    @property
    def letter(self) -> str:
        """That letter."""
        return self.tag or chr(ord("A") + self.style % 26)


def distinct(series: Sequence[Series]) -> list[Series]:
    """The lines, with other dashes or another colour where a line before has both; letters stay."""
    looks: set[tuple[str, int]] = set()
    made = []
    for line in series:
        roles = (line.role, *(f"series{k}" for k in range(6)))
        styles = [line.style, *range(len(DASHES))]
        free = (look for look in product(roles, styles) if (look[0], look[1] % len(DASHES)) not in looks)
        role, style = next(free, (line.role, line.style))
        looks.add((role, style % len(DASHES)))
        made.append(replace(line, role=role, style=style, tag=line.letter))
    return made


def legends(series: Sequence[Series], look: Look, least: int = 0) -> tuple[Spans, ...]:
    """Letter, sample and name of each line; without the samples; and with names that are cut ever shorter.

    Args:
        series: the lines.
        look: what the terminal can show.
        least: characters of names that are not cut shorter.
    """
    longest = max((len(line.name) for line in series), default=0)
    full, *shorter = (min(longest, _NAME_LENGTHS[0]), *(n for n in _NAME_LENGTHS if least <= n < longest))
    forms = [_joined(_entries(series, full, look, sampled=True))]
    return (*forms, *(_joined(_entries(series, most, look, sampled=False)) for most in (full, *shorter)))


def legend_lines(series: Sequence[Series], width: int, most: int, look: Look) -> list[Spans]:
    """The legend in at most so many lines: the samples give way, then ends of names that still differ.

    None, where these have no room either.
    """
    for length, sampled in ((_NAME_LENGTHS[0], True), *((length, False) for length in _NAME_LENGTHS)):
        lines: list[list[Spans]] = []
        entries = _entries(series, length, look, sampled=sampled)
        if not tell_apart(series, _joined(entries)):
            break
        room = 0
        for entry in entries:
            size = sum(cell_len(safe(text, look)) for text, _ in entry)
            if not lines or size + len(_GAP) > room:
                lines.append([])
                room = width + len(_GAP) - len(_INDENT)
            lines[-1].append(entry)
            room -= size + len(_GAP)
            if room < 0:
                break
        if room >= 0 and len(lines) <= most:
            return [((_INDENT, "muted"), *_joined(entries)) for entries in lines]
    return []


def tell_apart(series: Sequence[Series], legend: Sequence[tuple[str, str]]) -> bool:
    """Whether lines of different names have different ones in this legend, where they may be cut."""
    shown = {text for text, role in legend if role == "text"}
    return len(shown) == len({line.name for line in series})


def _entries(series: Sequence[Series], most: int, look: Look, *, sampled: bool) -> list[Spans]:
    """Letter, sample and name of each line."""
    entries: list[Spans] = []
    for line in series:
        drawn = f"{sample(line.style, look)} " if sampled else ""
        name = line.name if len(line.name) <= most else line.name[: most - 1] + "…"
        entries.append(((f"{line.letter} {drawn}", line.role), (name, "text")))
    return entries


def _joined(entries: Sequence[Spans]) -> Spans:
    """The entries of one line."""
    spans: list[tuple[str, str]] = []
    for entry in entries:
        (first, role), *others = entry
        spans += [(f"{_GAP if spans else ''}{first}", role), *others]
    return tuple(spans)

"""One bar as a row of text: marker, label, bar, number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from rich.segment import Segment
from rich.style import Style

from lstmtui.tui.palette import Kind, sign_colors
from lstmtui.tui.theme import Look, style_for

_EIGHTHS = " ▏▎▍▌▋▊▉█"
NUMBER_WIDTH = 9
MARKER_WIDTH = 2


@dataclass(frozen=True)
class Bar:
    """One row as it is drawn: equal rows look the same."""

    label: str
    number: str
    eighths: int
    """The length in eighths of a character (in ASCII: characters), negative to the left of zero."""
    finite: bool
    selected: bool
    role: str
    kind: Kind
    room: int
    """Characters for the bar itself."""


def bar_length(value: float, low: float, high: float, kind: Kind, room: int, look: Look) -> int:
    """How far a finite value reaches within `room` characters, in eighths (in ASCII: whole ones).

    What is not zero is never shorter than the smallest step.
    """
    unit = 1 if look.ascii else 8
    if kind == "diverging":
        reach, bound = room // 2 * unit, max(abs(low), abs(high))
        share = value / bound if bound > 0 else float(np.sign(value))
    else:
        reach = room * unit
        span = high / 2 - low / 2
        share = (value / 2 - low / 2) / span if span > 0 else float(value > low)
        share = max(share, 0.0)
    length = round(min(abs(share), 1.0) * reach)
    if share != 0 and reach:
        length = max(length, 1)
    return -length if share < 0 else length


def bar_segments(bar: Bar, look: Look) -> list[Segment]:
    """One row: marker, label, bar, number."""
    marker = (">" if look.ascii else "▸") if bar.selected else " "
    text = style_for("selected" if bar.selected else "muted", look)
    number = style_for("error" if not bar.finite else "selected" if bar.selected else "number", look)
    label = f"{bar.label} " if bar.label else ""
    drawn = _diverging(bar, look) if bar.kind == "diverging" else _sequential(bar, look)
    return [Segment(f"{marker} {label}", text), *drawn, Segment(f"{bar.number:>{NUMBER_WIDTH}}", number)]


def _sequential(bar: Bar, look: Look) -> list[Segment]:
    style = style_for(bar.role or "text", look)
    body = "#" * bar.eighths if look.ascii else "█" * (bar.eighths // 8) + _EIGHTHS[bar.eighths % 8].strip()
    return [Segment(body.ljust(bar.room), style)]


def _diverging(bar: Bar, look: Look) -> list[Segment]:
    half = bar.room // 2
    if not bar.room:
        return []
    colored = Style.from_color(sign_colors(look)[bar.eighths > 0])
    style = style_for(bar.role, look) if bar.role else colored
    axis = Segment("|" if look.ascii else "│", style_for("rule", look))
    if bar.eighths >= 0:
        body = (
            "#" * bar.eighths if look.ascii else "█" * (bar.eighths // 8) + _EIGHTHS[bar.eighths % 8].strip()
        )
        return [Segment(" " * half, style), axis, Segment(body.ljust(half), style)]
    right = Segment(" " * half, style)
    if look.ascii:
        return [Segment(("-" * -bar.eighths).rjust(half), style), axis, right]
    full, part = divmod(-bar.eighths, 8)
    left = [Segment(" " * (half - full - bool(part)), style)] if half - full - bool(part) else []
    if part:
        # there are no blocks that grow to the left: the complement in reverse is one
        left.append(Segment(_EIGHTHS[8 - part], style + Style(reverse=True)))
    if full:
        left.append(Segment("█" * full, style))
    return [*left, axis, right]

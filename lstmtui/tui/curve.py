"""A curve as lines of text, for verbs that have no screen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.line_plot import Plot, plot_lines
from lstmtui.tui.widgets.series import Series

_WIDTH, _HEIGHT, _GUTTER = 72, 10, 9


def curve_lines(name: str, values: Sequence[float], width: int, *, ascii: bool) -> list[str]:
    """A plot of the values on a log axis, from the first to the last; no line where there are too few.

    Args:
        name: what they are, over what.
        values: one for each step.
        width: of the terminal.
        ascii: nothing but ASCII.
    """
    if len(values) < 2:
        return []
    series = Series(name, np.asarray(values, float), role="x", tag=" ")
    plot = Plot((series,), gutter=_GUTTER, log=min(values) > 0, legend=False)
    rows = plot_lines(plot, min(width - 1, _WIDTH), _HEIGHT, Look("none", ascii))
    lines = ["".join(text for text, _ in row).rstrip() for row in rows]
    last = f"{len(values):,}"
    room = plot.map(min(width - 1, _WIDTH)).used
    return [*lines, f"{'':{_GUTTER}}1{'':{max(1, room - 1 - len(last))}}{last}  {name}"]

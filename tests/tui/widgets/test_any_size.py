from __future__ import annotations

import numpy as np
import pytest

from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.bars import Bars
from lstmtui.tui.widgets.heatmap import Heatmap
from lstmtui.tui.widgets.line_plot import LinePlot
from lstmtui.tui.widgets.ruler import Ruler
from lstmtui.tui.widgets.series import Series
from lstmtui.tui.widgets.status import StatusLine
from lstmtui.tui.widgets.text_lines import TextLines
from lstmtui.tui.widgets.tokens import TokenStrip

LOOKS = [Look(), Look("256"), Look("16"), Look("none"), Look(ascii=True), Look("none", ascii=True)]
CLASSES = (Heatmap, Ruler, LinePlot, Bars, TextLines, StatusLine, TokenStrip)
SIZES = [(1, 0), (1, 1), (2, 1), (3, 80), (300, 1), (300, 80), (7, 2), (14, 5), (60, 20)]


def fill(widget, rng: np.random.Generator) -> None:
    steps, units = int(rng.integers(0, 400)), int(rng.integers(0, 100))
    values = rng.normal(size=(steps, units))
    values[rng.random(values.shape) < 0.05] = rng.choice([np.nan, np.inf, -np.inf, 0.0])
    first = values[:, 0] if units else np.zeros(steps)
    match widget:
        case Heatmap():
            kind = "diverging" if units % 2 else "sequential"
            widget.set_data(values, -1, 1, kind, rng.random(values.shape) < 0.1)
        case Ruler():
            widget.set(5, 5 + steps, None, 5 + steps // 2, {7, 9}, {8}, "page 1/3 …")
        case LinePlot():
            series = [Series("σ one", first, 0, "h"), Series("two", first**2, 1, "c")]
            widget.set_series(series, gutter=int(rng.integers(0, 9)), log=bool(steps % 2))
        case Bars():
            labels = [f"unit ∂{n}" for n in range(steps)]
            widget.set_data(first, -1, 1, "diverging" if units % 2 else "sequential", labels, steps // 2)
        case TextLines():
            widget.set_lines([(("σ(x)·日本語 ", "f"), ("long " * n, "text")) for n in range(steps // 9)])
        case StatusLine():
            widget.set_spans([("title ▸ ", "title"), ("x" * steps, "muted")])
        case TokenStrip():
            widget.set_tokens(["日", "a", "\n", "🧑", "", "long word"] * (steps // 6))


@pytest.mark.parametrize("look", LOOKS, ids=str)
@pytest.mark.parametrize("kind", CLASSES)
def test_every_line_has_the_width_of_the_widget_at_any_size(kind, look: Look):
    rng = np.random.default_rng(3)
    widget = kind(look)
    for width, height in [*SIZES, *rng.integers((1, 0), (300, 80), (12, 2)).tolist()]:
        widget.lay_out(width, height)
        empty = kind(look)
        empty.lay_out(width, height)
        assert all(empty.render_line(y).text == " " * width for y in range(height))
        fill(widget, rng)
        for y in range(height):
            strip = widget.render_line(y)
            assert strip.cell_length == width
            assert all(segment.style is not None for segment in strip)
            assert strip.text.isascii() or not look.ascii
        widget.clicked(width // 2, height // 2)

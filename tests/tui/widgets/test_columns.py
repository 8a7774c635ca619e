from __future__ import annotations

import numpy as np
import pytest

from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.columns import ColumnMap
from lstmtui.tui.widgets.heatmap import Heatmap
from lstmtui.tui.widgets.line_plot import LinePlot
from lstmtui.tui.widgets.ruler import Ruler
from lstmtui.tui.widgets.series import Series
from lstmtui.tui.widgets.tokens import TokenStrip


def test_the_columns_of_a_short_sequence_fill_the_width_evenly():
    columns = ColumnMap(3, 11)
    assert [columns.cell_of(c) for c in range(-1, 4)] == [(0, 0), (0, 4), (4, 3), (7, 4), (11, 0)]
    assert [columns.column_at(x) for x in (-1, 0, 3, 4, 6, 7, 10, 11)] == [None, 0, 0, 1, 1, 2, 2, None]
    assert ColumnMap(16, 100).used == 100


@pytest.mark.parametrize(
    ("columns", "width"), [(0, 10), (5, 0), (1, 1), (7, 300), (300, 7), (120, 120), (83, 100), (61, 87)]
)
def test_every_character_of_a_column_leads_back_to_it(columns: int, width: int):
    placed = ColumnMap(columns, width)
    for column in range(columns):
        x, size = placed.cell_of(column)
        assert x + size <= max(width, x)
        assert {placed.column_at(at) for at in range(x, x + size)} <= {column}
    widths = [placed.cell_of(c)[1] for c in range(placed.shown)]
    assert sum(widths) == placed.used == (width if columns else 0)
    assert not widths or max(widths) - min(widths) <= 1
    for column in range(placed.shown):
        x, size = placed.cell_of(column)
        assert x <= placed.center_of(column) < x + size


@pytest.mark.parametrize("count", [1, 4, 13, 40])
def test_a_timestep_stands_in_one_column_in_every_widget(count: int):
    columns, look = ColumnMap(count, 40), Look("none", ascii=True)
    values = np.zeros((count, 1))
    at = count // 2
    x, size = columns.cell_of(at)

    heatmap = Heatmap(look)
    heatmap.lay_out(45, 1)
    values[at] = 1.0
    heatmap.set_data(values, columns=columns)
    row = heatmap.render_line(0).text
    assert [c for c, sign in enumerate(row) if sign == "#"] == list(range(x, x + size))

    ruler = Ruler(look)
    ruler.lay_out(45, 1)
    ruler.set(100, 100 + count, columns, cursor=100 + at)
    assert x <= ruler.render_line(0).text.index("V") < x + size

    tokens = TokenStrip(look)
    tokens.lay_out(45, 1)
    tokens.set_tokens(["." if c != at else "T" for c in range(count)], columns)
    assert tokens.render_line(0).text.index("T") == x

    plot = LinePlot(look)
    plot.lay_out(50, 6)
    line = np.full(count, np.nan)
    line[at] = 1.0
    absent = np.arange(count) != at
    plot.set_series([Series("", line, absent=absent)], count, columns, gutter=5, legend=False)
    stars = {row.index("*", 5) for y in range(6) if "*" in (row := plot.render_line(y).text)}
    assert stars
    assert all(x <= star - 5 < x + size for star in stars)

    clicks = [heatmap.clicked(x, 0), ruler.clicked(x, 0), tokens.clicked(x, 0), plot.clicked(x + 5, 0)]
    assert [message.column for message in clicks] == [at] * 4

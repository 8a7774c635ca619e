from __future__ import annotations

import numpy as np
import pytest

from lstmtui.tui.palette import BLANK, NAN, NEGATIVE_INFINITY, POSITIVE_INFINITY, level_index, palette
from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.heatmap import Heatmap

ASCII = Look("none", ascii=True)


def drawn(values, look=ASCII, size=(6, 3), **options):
    heatmap = Heatmap(look)
    heatmap.lay_out(*size)
    heatmap.set_data(np.asarray(values, float).T, **options)
    return heatmap


def test_levels_split_the_range_evenly_and_clip_beyond():
    levels = level_index(np.array([-9, 0, 0.24, 0.26, 0.5, 0.99, 1, 9]), 0, 1, "sequential", 4)
    assert levels.tolist() == [0, 0, 0, 1, 2, 3, 3, 3]


def test_zero_is_the_middle_of_a_diverging_map_however_its_ends_are():
    levels = level_index(np.array([-4.0, 0.0, 4.0, 1.0]), -1, 4, "diverging", 21)
    assert levels.tolist() == [0, 10, 20, 13]


def test_what_is_not_finite_and_what_is_absent_have_indices_of_their_own():
    values = np.array([np.nan, np.inf, -np.inf, np.nan])
    mask = np.array([False, False, False, True])
    assert level_index(values, 0, 1, "sequential", 20, mask).tolist() == [
        NAN,
        POSITIVE_INFINITY,
        NEGATIVE_INFINITY,
        BLANK,
    ]


@pytest.mark.parametrize(
    ("low", "high"), [(0, 0), (np.nan, np.nan), (-np.inf, np.inf), (-1.7e308, 1.7e308), (3, 1)]
)
@pytest.mark.parametrize("kind", ["sequential", "diverging"])
def test_odd_ranges_still_give_levels(low: float, high: float, kind):
    levels = level_index(np.array([-1.7e308, -1, 0, 1, 1.7e308]), low, high, kind, 21)
    assert (levels < 21).all()
    assert (np.diff(levels.astype(int)) >= 0).all()


def test_glyphs_tell_levels_and_sign_without_colour(text):
    assert text(drawn([[0, 0.25, 0.45, 0.7, 0.9, 1]], size=(6, 1))) == [" .:*##"]
    assert text(drawn([[-1, -0.6, -0.2, 0, 0.2, 1]], size=(6, 1), low=-1, high=1, kind="diverging")) == [
        "%=- +#"
    ]
    assert text(drawn([[0, 0.25, 0.45, 0.7, 0.9, 1]], Look("16"), size=(6, 1))) == [" ░▒▓██"]


def test_marks_of_nan_and_both_infinities_differ_and_absence_is_blank(text):
    values = [[np.nan, np.inf, -np.inf, np.nan, 0.5, 1]]
    mask = np.array([[0, 0, 0, 1, 0, 0]], bool).T
    for look in (ASCII, Look("16"), Look("256"), Look()):
        assert text(drawn(values, look, size=(6, 1), mask=mask))[0][:4] == "N^v "


def test_two_marks_in_one_character_are_both_announced(text):
    assert text(drawn([[np.nan], [np.inf]], Look(), size=(1, 1))) == ["!"]
    assert text(drawn([[0.5], [np.nan]], Look(), size=(1, 1))) == ["N"]


def test_half_blocks_hold_two_units_above_each_other():
    strip = drawn([[0.0, 1.0], [1.0, 1.0]], Look(), size=(2, 1)).render_line(0)
    colors = palette("sequential", Look()).colors
    first, second = list(strip)
    assert (first.text, first.style.color, first.style.bgcolor) == ("▀", colors[0], colors[-1])
    assert (second.text, second.style.bgcolor) == (" ", colors[-1])


def test_few_units_are_all_equally_tall(text):
    assert text(drawn([[1, 0], [0, 1]], size=(2, 5))) == ["# ", "# ", " #", " #", "  "]


def test_a_click_names_column_and_row():
    heatmap = drawn(np.zeros((4, 3)), Look(), size=(7, 4))
    assert [(m.column, m.row) for m in (heatmap.clicked(0, 0), heatmap.clicked(5, 3))] == [(0, 0), (2, 3)]
    assert heatmap.clicked(7, 0) is None
    assert [heatmap.line_of(row) for row in range(4)] == [0, 1, 2, 3]


def test_lines_that_stay_the_same_are_the_same_strip_and_not_sent_again(refreshed):
    values = np.zeros((4, 6))
    heatmap = drawn(values, size=(6, 4))
    before = [heatmap.render_line(y) for y in range(4)]
    regions = refreshed(heatmap)
    heatmap.set_data(values.T)
    assert regions == []
    changed = values.copy()
    changed[2, 3] = 1
    heatmap.set_data(changed.T)
    assert [(r.x, r.y, r.width, r.height) for r in regions] == [(3, 2, 1, 1)]
    assert [heatmap.render_line(y) is before[y] for y in range(4)] == [True, True, False, True]

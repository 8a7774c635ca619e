from __future__ import annotations

import numpy as np
import pytest

from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.bar import bar_length
from lstmtui.tui.widgets.bars import Bars

ASCII = Look("none", ascii=True)


def bars(values, look: Look = ASCII, size=(30, 4), **options) -> Bars:
    made = Bars(look)
    made.lay_out(*size)
    made.set_data(np.asarray(values, float), **options)
    return made


def test_rows_have_marker_label_bar_and_number(text):
    made = bars([1, 0.5, 0, 0.25], labels=["u0", "u1", "u2", "u3"], selected=1)
    assert text(made) == [
        "  u0 ################     1.00",
        "> u1 ########            0.500",
        "  u2                         0",
        "  u3 ####                0.250",
    ]


def test_eighths_of_a_character_are_used(text):
    made = bars([1, 9 / 16, 1 / 16], Look(), size=(13, 3), high=1)
    assert [row[2:4] for row in text(made)] == ["██", "█▏", "▏ "]


def test_diverging_bars_start_from_the_middle(text):
    made = bars([1, -1, 0.5, -0.02], size=(20, 4), low=-1, high=1, kind="diverging")
    assert text(made) == [
        "      |####     1.00",
        "  ----|        -1.00",
        "      |##      0.500",
        "     -|       -0.020",
    ]


def test_a_negative_bar_ends_in_the_complement_in_reverse():
    made = bars([-0.75], Look(), size=(16, 1), low=-1, high=1, kind="diverging")
    pieces = [(s.text, bool(s.style.reverse)) for s in made.render_line(0)]
    assert ("▌", True) in pieces
    assert pieces.index(("▌", True)) < pieces.index(("█", False)) < pieces.index(("│", False))


@pytest.mark.parametrize("kind", ["sequential", "diverging"])
def test_what_is_not_finite_is_named_and_what_is_absent_is_blank(kind, text):
    values = [np.nan, np.inf, -np.inf, np.nan]
    made = bars(values, kind=kind, mask=np.array([False, False, False, True]))
    assert [row.replace("|", "").strip() for row in text(made)] == ["NaN", "+inf", "-inf", ""]


def test_no_value_but_zero_looks_like_zero():
    assert bar_length(1e-300, 0, 1, "sequential", 10, Look()) == 1
    assert bar_length(-1e-300, -1, 1, "diverging", 11, Look()) == -1
    assert bar_length(0, 0, 1, "sequential", 10, Look()) == 0
    assert bar_length(1.7e308, -1.7e308, 1.7e308, "sequential", 10, Look()) == 80


def test_the_window_follows_the_selected_row_and_no_further(text):
    values = np.arange(10) / 10
    labels = [f"u{n}" for n in range(10)]
    made = bars(values, labels=labels, selected=0)
    seen = []
    for selected in (3, 4, 9, 7, 6, 5):
        made.set_data(values, labels=labels, selected=selected)
        seen.append((made.top, text(made)[selected - made.top][:4]))
    assert seen == [(0, "> u3"), (1, "> u4"), (6, "> u9"), (6, "> u7"), (6, "> u6"), (5, "> u5")]
    assert made.clicked(0, 2).row == 7


def test_only_rows_that_look_different_are_sent(refreshed):
    made = bars([0.1, 0.2, 0.3, 0.4])
    strips = [made.render_line(y) for y in range(4)]
    regions = refreshed(made)
    made.set_data(np.array([0.1, 0.2, 0.9, 0.40001]))
    assert [r.y for r in regions] == [2]
    assert [made.render_line(y) is strips[y] for y in range(4)] == [True, True, False, True]


def test_another_kind_or_width_of_labels_draws_every_row_anew(text):
    made = bars([np.nan, 0.0], labels=["a", "b"])
    text(made)
    made.set_data(np.array([np.nan, 0.0]), kind="diverging", labels=["a", "longer"])
    assert [row.index("|") for row in text(made)[:2]] == [14, 14]

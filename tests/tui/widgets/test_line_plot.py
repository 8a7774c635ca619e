from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from lstmtui.analysis.decimation import envelope
from lstmtui.tui.theme import Look
from lstmtui.tui.widgets.columns import ColumnMap
from lstmtui.tui.widgets.line_plot import LinePlot
from lstmtui.tui.widgets.series import Series, distinct, legend_lines, legends, tell_apart

ASCII = Look("none", ascii=True)


def plot(*series: Series, look: Look = ASCII, size=(20, 6), **options) -> LinePlot:
    made = LinePlot(look)
    made.lay_out(*size)
    made.set_series(series, **options)
    return made


def test_a_ramp_rises_from_the_lowest_label_to_the_highest(text):
    made = plot(Series("", np.arange(5.0)), size=(13, 5), gutter=6, columns=ColumnMap(5, 5))
    assert text(made) == [
        " 4.00+    *A ",
        "     |   *   ",
        " 2.00+  *    ",
        "     | *     ",
        "    0+*      ",
    ]


def test_braille_shows_the_same_ramp_in_dots(text):
    made = plot(Series("", np.arange(4.0)), look=Look(), size=(4, 1), gutter=0, columns=ColumnMap(2, 2))
    assert text(made) == ["⡠⠊A "]


def test_a_jump_is_drawn_without_gaps(text):
    made = plot(
        Series("", np.array([0, 0, 1, 1])), size=(6, 5), gutter=0, columns=ColumnMap(4, 4), legend=False
    )
    assert text(made) == ["  **A ", "  *   ", " *    ", " *    ", "**    "]


@pytest.mark.parametrize(("bad", "mark"), [(np.nan, "N"), (np.inf, "^"), (-np.inf, "v")])
@pytest.mark.parametrize("look", [ASCII, Look(), Look("16")])
def test_a_value_without_a_place_is_marked_at_its_column_and_never_bridged(bad, mark, look: Look, text):
    values = np.ones(10)
    values[4] = bad
    made = plot(
        Series("", values), look=look, size=(14, 5), gutter=0, columns=ColumnMap(10, 10), legend=False
    )
    *rows, marks = text(made)
    assert marks.rstrip() == "    " + mark
    assert all(row[4] == " " for row in rows)
    assert any(row[3] != " " for row in rows)
    assert any(row[5] != " " for row in rows)


def test_absent_values_leave_a_gap_without_a_mark(text):
    made = plot(Series("", np.ones(6), absent=np.arange(6) == 2), size=(8, 3), gutter=0, legend=False)
    assert [row.rstrip() for row in text(made) if row.strip()] == ["** ***A"]


def test_a_log_axis_has_powers_of_ten_and_marks_zero_and_negative_values(text):
    values = np.array([1e-6, 1e-4, 0.0, 1e-2, -1.0, 1.0])
    made = plot(Series("", values), size=(15, 8), gutter=6, log=True, columns=ColumnMap(6, 6), legend=False)
    rows = text(made)
    assert rows[0].startswith("  1e0+     *A")
    assert rows[6].startswith(" 1e-6+*")
    assert rows[7].startswith("    A   0 -")
    unicode = plot(Series("", values), look=Look(), size=(15, 8), gutter=6, log=True)
    assert text(unicode)[0].startswith("  10⁰┤")


def test_a_legend_may_keep_names_legible():
    series = [Series("y[0] as recorded", np.zeros(2)), Series("x", np.zeros(2), 1)]
    every, legible = ([form[1][0] for form in legends(series, ASCII, least)] for least in (0, 8))
    assert every[-1] == "y[…"
    assert legible[-1] == "y[0] as…"
    assert every[: len(legible)] == legible


def test_a_row_of_marks_says_whose_they_are_and_what_they_mean(text):
    zeros, ones = np.zeros(6), np.ones(6)
    bad = np.where(np.arange(6) == 2, np.nan, 1.0)

    def labels(*series: Series, height: int) -> list[str]:
        made = plot(*series, size=(20, height), gutter=8, log=True, columns=ColumnMap(6, 6), legend=False)
        return [row[:8] for row in text(made)]

    named = [Series("", zeros, 0, tag="c"), Series("", bad, 1, tag="h")]
    assert labels(*named, height=8)[-2:] == ["  c = 0 ", "  h NaN "]
    assert labels(*named, height=2)[-1] == "    c,h "
    assert labels(named[0], Series("", zeros, 1, tag="h"), Series("", ones, 2), height=2)[-1] == "c,h = 0 "
    many = [Series("", zeros, k, tag="abcdef"[k]) for k in range(6)]
    assert labels(*many, height=2)[-1] == " abcdef "
    signs = [(np.inf, " A +inf "), (-np.inf, " A -inf ")]
    for value, label in signs:
        line = Series("", np.where(np.arange(6) == 2, value, 1.0))
        assert labels(line, height=4)[-1] == label


def test_marks_that_share_a_character_say_so(text):
    values = np.ones(20)
    values[4], values[5] = np.nan, np.inf
    made = plot(Series("", values), size=(12, 4), gutter=0, columns=ColumnMap(10, 10), legend=False)
    assert text(made)[-1].rstrip() == "  !"


def test_each_series_has_a_letter_at_its_end_and_in_the_legend(text):
    made = plot(
        Series("dh", np.zeros(4), 0),
        Series("dc", np.ones(4), 1),
        size=(30, 6),
        gutter=4,
        columns=ColumnMap(4, 4),
    )
    rows = text(made)
    assert rows[0] == " A ** dh  B ++ dc".ljust(30)
    assert rows[1].rstrip().endswith("++++B")
    assert rows[5].rstrip().endswith("****A")


def test_the_cursor_does_not_cross_the_legend(text):
    made = plot(Series("y", np.zeros(4)), size=(12, 5), gutter=0, columns=ColumnMap(4, 4))
    before = text(made)
    made.set_cursor(0)
    assert text(made)[0] == before[0]
    assert [row[0] for row in text(made)[1:3]] == ["|"] * 2


@pytest.mark.parametrize(("width", "letters"), [(20, 5), (9, 4), (7, 2)])
def test_letters_share_a_row_where_there_are_more_lines_than_rows(width, letters, text):
    lines = [Series("", np.full(3, float(k)), k) for k in range(5)]
    made = plot(*lines, size=(width, 2), gutter=4, columns=ColumnMap(3, 3), legend=False)
    assert sum(character in "ABCDE" for row in text(made) for character in row) == letters


def test_the_colour_of_a_character_is_that_of_the_series_with_most_dots():
    made = plot(
        Series("", np.zeros(4), role="f"),
        Series("", np.ones(4), role="c"),
        look=Look(),
        size=(6, 2),
        gutter=0,
    )
    top, bottom = (made.render_line(y)._segments[0].style.color.name for y in (0, 1))
    assert (top, bottom) == ("#f2ab34", "#ec8052")


def test_decimation_keeps_every_extreme():
    values = np.zeros(100_000)
    values[77_777], values[3] = 5.0, -7.0
    shape = envelope(values, 100_000, 200)
    assert (np.nanmax(shape.high), np.nanmin(shape.low)) == (5.0, -7.0)
    assert np.nanargmax(shape.high) == 77_777 * 200 // 100_000


def test_one_bad_value_among_many_breaks_its_column_only():
    values = np.tile([0.0, 1.0], 5000)
    values[5000] = np.nan
    shape = envelope(values, 10_000, 100)
    assert np.isfinite(shape.low).all()
    assert np.flatnonzero(~shape.joined).tolist() == [0, 50, 51]


def test_a_line_rises_from_a_value_to_the_next():
    sloped = envelope(np.array([0.0, 1.0]), 2, 8)
    assert 0 < sloped.high[4] < 1
    assert sloped.high[6] == 1


@pytest.mark.parametrize(
    "values", [[], [np.nan] * 5, [np.inf, -np.inf], [1.7e308, -1.7e308], [5e-324, 0], [0.0]]
)
@pytest.mark.parametrize("log", [False, True])
def test_odd_values_never_raise(values, log: bool, text):
    for look in (ASCII, Look()):
        text(plot(Series("s", np.array(values, float)), look=look, log=log))


def test_an_unchanged_plot_sends_nothing(refreshed):
    values = np.sin(np.arange(30))
    made = plot(Series("s", values))
    strips = [made.render_line(y) for y in range(6)]
    regions = refreshed(made)
    made.set_series([Series("s", values.copy())])
    assert regions == []
    assert all(made.render_line(y) is strips[y] for y in range(6))


def test_no_two_lines_share_colour_and_dashes():
    lines = [Series(f"x[{k}]", np.zeros(3), k, f"series{k % 2}") for k in range(20)]
    made = distinct(lines)
    assert len({(line.role, line.style % 4) for line in made}) == len(lines)
    assert [line.letter for line in made] == [line.letter for line in lines]
    assert [line.role for line in made[:8]] == [line.role for line in lines[:8]]


def test_a_legend_that_has_no_room_has_shorter_names():
    lines = [Series(name, np.zeros(3), k) for k, name in enumerate(("passengers of the year", "y"))]
    forms = ["".join(text for text, _ in form) for form in legends(lines, Look())]
    assert forms[0] == "A ── passengers of the year  B ╌╌ y"
    assert forms[1] == "A passengers of the year  B y"
    assert forms[-1] == "A pa…  B y"
    assert all(len(a) >= len(b) for a, b in pairwise(forms))


def test_a_legend_takes_as_many_lines_as_it_may_before_names_are_cut():
    lines = [
        Series(name, np.zeros(3), k) for k, name in enumerate(("LSTM with peepholes", "GRU", "rnn_tanh"))
    ]

    def written(width: int, most: int) -> list[str]:
        return ["".join(text for text, _ in line) for line in legend_lines(lines, width, most, ASCII)]

    assert written(50, 1) == [" A ** LSTM with peepholes  B ++ GRU  C xx rnn_tanh"]
    assert written(42, 1) == [" A LSTM with peepholes  B GRU  C rnn_tanh"]
    assert written(24, 2) == [" A LSTM with peepholes", " B GRU  C rnn_tanh"]
    assert written(31, 1) == [" A LSTM wi…  B GRU  C rnn_tanh"]
    assert written(9, 2) == []


def test_cut_names_of_a_legend_tell_lines_apart_or_not():
    lines = [Series(name, np.zeros(3), k) for k, name in enumerate(("rnn_tanh", "rnn_relu"))]
    assert [tell_apart(lines, form) for form in legends(lines, ASCII)] == [True, True, False, False]

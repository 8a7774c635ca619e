"""Windows of quantities: exact pages, binned units, and what is past the end of a sequence."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import Array, synthetic

from lstmtui.analysis.comparison import difference
from lstmtui.analysis.windows import Binning, Page, extent, gradient_norms, vector, window
from lstmtui.session import Session
from lstmtui.trace import Trace, Traces


def holding(values: Array, **options: object) -> Session:
    """A session on an LSTM whose h is `values` (T, B, H)."""
    steps, batch, units = values.shape
    trace = synthetic("lstm", steps, units, batch=batch, **options)  # type: ignore[arg-type]
    return Session(Trace(trace.header, {**trace.arrays, "0/forward/h": values, "0/forward/dh": values}))


@given(width=st.integers(1, 50), steps=st.integers(1, 400), at=st.floats(0, 1, exclude_max=True))
def test_pages_follow_one_another_without_gap_or_overlap(width: int, steps: int, at: float) -> None:
    t = int(at * steps)
    page = Page.around(t, width, steps, is_growing=True)
    assert page.start <= t < page.stop
    assert page.stop - page.start <= width
    pages = [Page.around(s, width, steps, is_growing=True) for s in range(0, steps, width)]
    assert [p.start for p in pages[1:]] == [p.stop for p in pages[:-1]]
    assert (pages[0].start, pages[-1].stop) == (0, steps)
    assert {p.count for p in pages} == {len(pages)}
    assert [p.number for p in pages] == list(range(1, len(pages) + 1))


@given(width=st.integers(1, 50), steps=st.integers(1, 400), shared=st.integers(1, 9), at=st.floats(0, 1))
def test_the_last_page_of_a_whole_run_is_full(width: int, steps: int, shared: int, at: float) -> None:
    t = min(int(at * steps), steps - 1)
    page, growing = (Page.around(t, width, steps, shared, is_growing=g) for g in (False, True))
    assert page.start <= t < page.stop
    assert page.start % shared == 0
    if page.number < page.count:
        assert page == growing
    else:
        assert (page.stop, page.count, page.number) == (growing.stop, growing.count, growing.number)
        assert page.column_of(page.stop - 1) == (width if page.count > 1 else -(-steps // shared)) - 1


def test_a_page_says_which_one_it_is_where_there_are_more() -> None:
    assert Page.around(0, 58, 40).text == "t 0–39"
    assert Page.around(60, 58, 1000).text == "t 58–115  page 2/18"
    assert Page.around(60, 58, 1000, 18).text == "t 0–999  18 timesteps a column"
    assert Page.around(600, 58, 1000, 4).text == "t 464–695  page 3/5  4 timesteps a column"


def test_a_panel_without_width_still_has_a_page() -> None:
    assert Page.around(3, 0, 5) == Page(3, 4, 4, 5)


@pytest.mark.parametrize("binning", ["mean", "extreme"])
@pytest.mark.parametrize("per_column", [2, 7, 40])
def test_timesteps_that_share_a_column_come_to_what_numpy_says(
    binning: Binning, per_column: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lstmtui.analysis.windows._BLOCK", 21)
    values = np.random.default_rng(1).normal(size=(100, 2, 5))
    values[50:52, 1, 2] = np.nan
    values[60, 1, 0] = -np.inf
    session = holding(values, lengths=[100, 83])
    session.select_batch(1)
    shown = window(session.view, "h", 3, 100, 3, binning, per_column)
    units = [values[3:83, 1, :2], values[3:83, 1, 2:4], values[3:83, 1, 4:]]
    for row, members in enumerate(units):
        each = [members[at : at + per_column] for at in range(0, 80, per_column)]
        if binning == "mean":
            expected = [part.mean(axis=1).mean() for part in each]
        else:
            expected = [part.ravel()[np.argmax(np.abs(part).ravel())] for part in each]
        np.testing.assert_allclose(shown.values[: len(each), row], expected, rtol=1e-12)
    assert shown.valid.tolist() == [at < 80 for at in range(0, 97, per_column)]


def test_a_difference_over_all_of_a_run_is_that_of_each_timestep() -> None:
    values = np.random.default_rng(2).normal(size=(90, 1, 4))
    ours, theirs = holding(values), holding(values + (np.arange(90) == 31)[:, None, None])
    shown = difference(ours.view, theirs.trace, "h", 0, 90, None, "extreme", 10)
    np.testing.assert_allclose(shown.values, -1.0 * (np.arange(9) == 3)[:, None] * np.ones(4), atol=1e-12)


def test_a_window_is_exactly_what_was_recorded() -> None:
    values = np.random.default_rng(1).normal(size=(9, 2, 5)).astype(np.float32)
    session = holding(values)
    session.select_batch(1)
    shown = window(session.view, "h", 2, 6)
    assert np.array_equal(shown.values, values[2:6, 1])
    assert (shown.units, shown.units_per_row, shown.start, shown.stop) == (5, 1, 2, 6)
    assert shown.valid.tolist() == [True] * 4
    session.goto(4)
    assert np.array_equal(vector(session.view, "h"), values[4, 1])


def test_the_window_follows_layer_and_direction() -> None:
    trace = synthetic("gru", 5, 3, layers=2, bidirectional=True)
    session = Session(trace)
    session.select_layer(1)
    session.select_direction("backward")
    assert np.array_equal(window(session.view, "z", 0, 5).values, trace.values("z", 1, "backward")[:, 0])


def test_timesteps_past_the_end_of_a_sequence_are_not_valid() -> None:
    session = Session(synthetic(steps=6, batch=2, lengths=(6, 3)))
    session.select_batch(1)
    assert window(session.view, "h", 1, 6).valid.tolist() == [True, True, False, False, False]


def test_units_that_share_a_row_are_averaged_or_the_most_extreme_one_is_shown() -> None:
    values = np.array([[[0.1, 0.2, 0.9, -0.5, -3.0]]], np.float32)
    mean = window(holding(values), "h", 0, 1, rows=3, binning="mean")
    assert mean.values == pytest.approx(np.array([[0.15, 0.2, -3.0]]))
    extreme = window(holding(values), "h", 0, 1, rows=3, binning="extreme")
    assert extreme.values == pytest.approx(np.array([[0.2, 0.9, -3.0]]))
    assert (extreme.units, extreme.units_per_row) == (5, 2)
    assert window(holding(values), "h", 0, 1, rows=1).values.item() == -3.0


@pytest.mark.parametrize("binning", ["mean", "extreme"])
def test_a_nan_wins_over_every_unit_of_its_row(binning: str) -> None:
    values = np.zeros((1, 1, 6), np.float32)
    values[0, 0, 1] = np.nan
    values[0, 0, 2] = np.inf
    values[0, 0, 5] = -np.inf
    row = window(holding(values), "h", 0, 1, rows=3, binning=binning).values[0]  # type: ignore[arg-type]
    assert np.isnan(row[0])
    assert row[1] == np.inf
    assert row[2] == -np.inf


def test_as_many_rows_as_units_leave_them_as_they_are() -> None:
    values = np.random.default_rng(2).normal(size=(3, 1, 7)).astype(np.float32)
    for rows in (7, 100, None):
        assert np.array_equal(window(holding(values), "h", 0, 3, rows).values, values[:, 0])
    assert window(holding(values), "h", 0, 3, rows=0).values.shape == (3, 1)


def test_the_extent_is_the_largest_finite_size_in_the_whole_run() -> None:
    values = np.array([[[0.5, -2.0]], [[np.inf, np.nan]]], np.float32)
    assert extent(holding(values), "h") == 2.0
    assert extent(holding(np.full((2, 1, 2), np.nan)), "h") == 0.0


def test_gradient_norms_are_over_units_for_every_timestep() -> None:
    values = np.random.default_rng(3).normal(size=(8, 2, 4)).astype(np.float32)
    session = holding(values)
    session.select_batch(1)
    assert gradient_norms(session.view, "h") == pytest.approx(
        np.linalg.norm(values[:, 1].astype(float), axis=-1)
    )


def test_gradient_norms_of_another_model_come_from_the_nearest_place_it_has() -> None:
    small = synthetic("gru", 4, 3, name="small", seed=5)
    big = synthetic("lstm", 4, 3, layers=2, bidirectional=True, batch=2, name="big")
    session = Session(Traces({"big": big, "small": small}))
    session.select_layer(1)
    session.select_direction("backward")
    session.select_batch(1)
    assert np.array_equal(gradient_norms(session.view.fitted_to(small), "h"), small.norms("dh")[:, 0])
    assert np.array_equal(gradient_norms(session.view, "h"), big.norms("dh", 1, "backward")[:, 1])

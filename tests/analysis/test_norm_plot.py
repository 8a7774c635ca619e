"""The norms of gradients reduced to the columns of a plot."""

from __future__ import annotations

import numpy as np
from synthetic import synthetic

from lstmtui.analysis.decimation import SEVERAL, ZERO
from lstmtui.analysis.norm_plot import fitted, gradient_norm_plot
from lstmtui.analysis.windows import gradient_norms
from lstmtui.trace import Trace
from lstmtui.view import View


def holding(norms: list[float]) -> View:
    """A view of a run whose dh has these norms."""
    trace = synthetic("gru", len(norms), 1)
    values = np.array(norms, np.float32).reshape(-1, 1, 1)
    return View.of(Trace(trace.header, {**trace.arrays, "0/forward/dh": values}))


def test_each_column_holds_the_extremes_of_its_timesteps_and_the_marks_of_its_gaps() -> None:
    view = holding([1, 10, 100, 1000, 0, 1, np.nan, 0])
    plot = gradient_norm_plot(view, "h", 0, 8, 8, 4, 2)
    assert plot is not None
    assert plot.envelope.low.tolist()[:3] == [0, 2, 0]
    assert plot.envelope.high.tolist()[:3] == [1, 3, 0]
    assert np.isnan(plot.envelope.low[3])
    assert plot.marks.tolist() == [0, SEVERAL]
    assert plot.envelope.joined.tolist() == [False, True, False, False]


def test_a_run_of_other_length_is_cut_or_ends_early() -> None:
    view = holding([1, 10, 100, 0])
    shorter = gradient_norm_plot(view, "h", 0, 2, 2, 2, 2)
    assert shorter is not None
    assert shorter.envelope.high.tolist() == [0, 1]
    longer = gradient_norm_plot(view, "h", 0, 8, 8, 8, 8)
    assert longer is not None
    assert longer.marks.tolist() == [0, 0, 0, ZERO, 0, 0, 0, 0]
    assert np.isfinite(longer.envelope.high).sum() == 3


def test_a_run_without_gradients_has_no_plot() -> None:
    trace = synthetic("gru", 5, 2)
    bare = Trace(trace.header, {key: a for key, a in trace.arrays.items() if not key.endswith("/dh")})
    assert gradient_norm_plot(View.of(bare), "h", 0, 5, 5, 5, 5) is None


def test_a_plot_takes_the_columns_there_are() -> None:
    view = View.of(synthetic("gru", 50, 3))
    assert len(gradient_norms(view, "h")) == 50
    plot = gradient_norm_plot(view, "h", 0, 50, 50, 20, 10)
    assert plot is not None
    assert fitted(plot, 20, 10) is plot
    fewer, more = fitted(plot, 8, 4), fitted(plot, 24, 12)
    assert np.array_equal(fewer.envelope.low, plot.envelope.low[:8])
    assert len(fewer.marks) == 4
    assert np.array_equal(more.envelope.high[:20], plot.envelope.high)
    assert np.isnan(more.envelope.high[20:]).all()
    assert len(more.marks) == 12


def test_a_plot_begins_at_the_first_timestep_that_is_asked_for() -> None:
    plot = gradient_norm_plot(holding([1, 10, 100, 1000, 10]), "h", 3, 6, 3, 3, 3)
    assert plot is not None
    assert plot.envelope.high.tolist()[:2] == [3, 1]
    assert np.isnan(plot.envelope.high[2])

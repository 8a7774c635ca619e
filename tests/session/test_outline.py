"""The norms of gradients reduced to the columns of a plot."""

from __future__ import annotations

import numpy as np
from synthetic import synthetic

from lstmtui.session import Session, gradient_norms
from lstmtui.session.envelope import SEVERAL, ZERO
from lstmtui.session.outline import fitted, gradient_outline
from lstmtui.trace import Trace


def holding(norms: list[float]) -> Session:
    """A session whose dh has these norms."""
    trace = synthetic("gru", len(norms), 1)
    values = np.array(norms, np.float32).reshape(-1, 1, 1)
    return Session(Trace(trace.header, {**trace.arrays, "0/forward/dh": values}))


def test_each_column_holds_the_extremes_of_its_timesteps_and_the_marks_of_its_gaps() -> None:
    session = holding([1, 10, 100, 1000, 0, 1, np.nan, 0])
    found = gradient_outline(session, "h", session.trace, 8, 4, 2)
    assert found is not None
    assert found.envelope.low.tolist()[:3] == [0, 2, 0]
    assert found.envelope.high.tolist()[:3] == [1, 3, 0]
    assert np.isnan(found.envelope.low[3])
    assert found.marks.tolist() == [0, SEVERAL]
    assert found.envelope.joined.tolist() == [False, True, False, False]


def test_a_run_of_other_length_is_cut_or_ends_early() -> None:
    session = holding([1, 10, 100, 0])
    shorter = gradient_outline(session, "h", session.trace, 2, 2, 2)
    assert shorter is not None
    assert shorter.envelope.high.tolist() == [0, 1]
    longer = gradient_outline(session, "h", session.trace, 8, 8, 8)
    assert longer is not None
    assert longer.marks.tolist() == [0, 0, 0, ZERO, 0, 0, 0, 0]
    assert np.isfinite(longer.envelope.high).sum() == 3


def test_a_run_without_gradients_has_no_outline() -> None:
    trace = synthetic("gru", 5, 2)
    bare = Trace(trace.header, {key: a for key, a in trace.arrays.items() if not key.endswith("/dh")})
    assert gradient_outline(Session(bare), "h", bare, 5, 5, 5) is None


def test_an_outline_takes_the_columns_there_are() -> None:
    session = Session(synthetic("gru", 50, 3))
    assert len(gradient_norms(session, "h")) == 50
    found = gradient_outline(session, "h", session.trace, 50, 20, 10)
    assert found is not None
    assert fitted(found, 20, 10) is found
    fewer, more = fitted(found, 8, 4), fitted(found, 24, 12)
    assert np.array_equal(fewer.envelope.low, found.envelope.low[:8])
    assert len(fewer.marks) == 4
    assert np.array_equal(more.envelope.high[:20], found.envelope.high)
    assert np.isnan(more.envelope.high[20:]).all()
    assert len(more.marks) == 12

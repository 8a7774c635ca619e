"""Watches: expressions with their value at the cursor, or why there is none."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic import synthetic

from lstmtui.errors import UserError
from lstmtui.expressions import Expression
from lstmtui.expressions.at_cursor import NoValue, ScalarValue, VectorValue
from lstmtui.session import Session, Watches
from lstmtui.session.watches import MOST_WATCHES
from lstmtui.trace import Traces

E = Expression


@pytest.fixture
def session() -> Session:
    """An LSTM and a GRU."""
    return Session(Traces({n: synthetic(n.lower(), 8, 3, name=n) for n in ("LSTM", "GRU")}))


def test_a_watch_follows_the_cursor(session: Session) -> None:
    session.watches.add(E("h[1]"))
    session.watches.add(E("c"))
    session.watches.add(E("t > 3"))
    session.goto(4)
    scalar, vector, truth = session.watches.at_cursor(session.view)
    assert (scalar.id, scalar.text) == (1, "h[1]")
    assert scalar.result == ScalarValue(session.trace.values("h")[4, 0, 1].item())
    assert isinstance(vector.result, VectorValue)
    assert np.array_equal(vector.result.value, session.trace.values("c")[4, 0])
    assert truth.result == ScalarValue(True)


def test_a_watch_without_a_meaning_here_says_why_and_is_kept(session: Session) -> None:
    session.watches.add(E("norm(c)"))
    session.watches.add(E("h[0]"))
    session.select_model("GRU")
    absent, present = session.watches.at_cursor(session.view)
    assert isinstance(absent.result, NoValue)
    assert "c is not there" in absent.result.error
    assert isinstance(present.result, ScalarValue)
    session.select_model("LSTM")
    assert isinstance(session.watches.at_cursor(session.view)[0].result, ScalarValue)


def test_watches_are_numbered_once_and_for_all() -> None:
    watches = Watches()
    assert [watches.add(E("c")).id, watches.add(E("h")).id] == [1, 2]
    removed = watches.remove(2)
    assert removed is not None
    assert removed.text == "h"
    assert watches.remove(2) is None
    assert watches.add(E("t")).id == 3
    assert [watch.id for watch in watches] == [1, 3]
    assert len(watches) == 2


def test_there_is_an_end_to_how_many_there_may_be() -> None:
    watches = Watches()
    for _ in range(MOST_WATCHES):
        watches.add(E("t"))
    with pytest.raises(UserError, match="1,000 watches"):
        watches.add(E("t"))

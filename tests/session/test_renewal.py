"""A session goes on with other traces of its models: what was set up stays, and the cursor if it can."""

from __future__ import annotations

import numpy as np
import pytest

from lstmtui.errors import UserError
from lstmtui.session import Session
from lstmtui.session.execute import execute
from lstmtui.session.parse import parse_line
from lstmtui.trace import Header, Layer, Trace, Traces


def make_trace(name: str, steps: int, batch: int = 1) -> Trace:
    """Every value is its t."""
    values = np.broadcast_to(np.arange(steps, dtype=np.float32)[:, None, None], (steps, batch, 2))
    header = Header(name, (Layer("rnn_tanh", 2, 2),), steps=steps, batch=batch)
    return Trace(header, {f"0/forward/{quantity}": values for quantity in ("x", "h_pre", "h")})


def run(session: Session, *lines: str) -> str:
    """What the last command says."""
    said = ""
    for line in lines:
        command = parse_line(line)
        assert command is not None
        said = execute(session, command).text
    return said


def test_the_cursor_breakpoints_and_watches_stay_when_a_trace_grows() -> None:
    session = Session(Traces(a=make_trace("a", 5), b=make_trace("b", 5)))
    run(session, "model b", "unit 1", "goto 3", "break when h[0] > 6", "watch norm(h)")
    assert "the end" in run(session, "continue")
    session.renew(Traces(a=make_trace("a", 9), b=make_trace("b", 9)))
    cursor = session.cursor
    assert (cursor.model, cursor.unit, cursor.t, session.last_t) == ("b", 1, 4, 8)
    assert run(session, "continue") == "breakpoint 1: h[0] > 6 at t=7"
    assert [watch.text for watch in session.watches] == ["norm(h)"]


def test_the_cursor_goes_as_far_as_what_is_there_now() -> None:
    session = Session(make_trace("a", 9, batch=3))
    run(session, "batch 2", "last")
    session.renew(make_trace("a", 4))
    assert (session.cursor.batch, session.cursor.t) == (0, 3)
    session.renew(make_trace("another", 4))
    assert session.cursor.model == "another"


def test_what_is_compared_is_renewed_too() -> None:
    session = Session(Traces(a=make_trace("a", 5), b=make_trace("b", 5)))
    run(session, "compare b")
    new = Traces(a=make_trace("a", 6), b=make_trace("b", 6))
    session.renew(new)
    assert session.other is new["b"]
    session.renew(Traces(a=new["a"]))
    assert session.other is None


def test_other_traces_that_are_none_leave_everything_as_it_was() -> None:
    session = Session(make_trace("a", 5))
    with pytest.raises(UserError, match="nothing to debug"):
        session.renew(Traces())
    assert list(session.traces) == ["a"]

"""What was changed can be undone and done again, and places can be visited again."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from oracles.recurrents import noise, random_recurrent
from synthetic import synthetic

from lstmtui.capture.engine import RerunEngine
from lstmtui.capture.record import record
from lstmtui.errors import Cancelled
from lstmtui.session import Session, parse_line
from lstmtui.session.execute import execute
from lstmtui.session.history import MOST
from lstmtui.session.snapshot import Snapshot, start_clean
from lstmtui.trace import Trace, Traces
from lstmtui.view import Cursor


def recorded(cell: str, name: str) -> Trace:
    return record(random_recurrent(cell), noise(10, 1, 3, seed=4), name=name)


@pytest.fixture
def session() -> Session:
    return Session(Traces({"a": recorded("lstm", "a"), "b": recorded("gru", "b")}), RerunEngine())


@pytest.fixture
def walked() -> Session:
    """Nothing can be run again, and the run is longer."""
    layers = synthetic("lstm", 300, 6, layers=2, bidirectional=True, batch=2, name="a")
    return Session(Traces({"a": layers, "b": synthetic("gru", 300, 4, batch=2, name="b")}))


def said(session: Session, *lines: str, ok: bool = True) -> list[str]:
    texts = []
    for line in lines:
        command = parse_line(line)
        assert command is not None
        outcome = execute(session, command)
        assert outcome.ok == ok, outcome.text
        texts.append(outcome.text)
    return texts


def settings(session: Session) -> tuple[object, ...]:
    """What is set, as it would be listed, and the numbers that come of it."""
    assert session.what_ifs is not None
    numbers = {name: trace.loss for name, trace in session.changed.items()}
    points = [(p.id, p.place, p.note, p.enabled) for p in session.breakpoints]
    watches = [(watch.id, watch.text) for watch in session.watches]
    return points, watches, session.what_ifs.texts, numbers, session.compared


CHANGES = (
    "break at 3",
    "break when h[0] > 0 note up",
    "watch norm(h)",
    "set f[1] = 1 from 2 to 4",
    "disable 1",
    "set h[0] = 0.25",
    "compare b",
    "loss at 4",
    "unwatch 1",
    "unset 1",
    "delete 2",
    "enable 1",
    "compare none",
    "reset",
)


def test_every_change_is_undone_and_done_again_in_turn(session: Session) -> None:
    states = [settings(session)]
    for line in CHANGES:
        said(session, line)
        states.append(settings(session))
    assert all(before != after for before, after in pairwise(states))
    for _ in range(2):
        for line, state in zip(reversed(CHANGES), reversed(states[:-1]), strict=True):
            assert said(session, "undo")[0].startswith(f"undid: {line}")
            assert settings(session) == state, line
        assert said(session, "u", ok=False) == ["there is nothing to undo"]
        for line, state in zip(CHANGES, states[1:], strict=True):
            assert said(session, "redo")[0].startswith(f"did again: {line}")
            assert settings(session) == state, line
        assert said(session, "redo", ok=False) == ["there is nothing to redo"]


def test_an_undone_what_if_leaves_the_run_that_was_there_before(session: Session) -> None:
    baseline = session.trace
    said(session, "set f[1] = 1 from 2 to 4")
    first = np.array(session.trace.values("h"))
    said(session, "set f[1] = 0 from 2 to 4")
    assert not np.array_equal(session.trace.values("h"), first)
    loss = session.trace.loss
    text = said(session, "undo")[0]
    assert np.array_equal(session.trace.values("h"), first)
    assert text.endswith(f"; loss {session.trace.loss:.6g}, was {baseline.loss:.6g}")
    assert said(session, "undo")[0].endswith(f"the run is as it was recorded, loss {baseline.loss:.6g}")
    assert session.trace is baseline
    said(session, "redo", "redo")
    assert session.trace.loss == loss


def test_what_changed_nothing_and_what_was_refused_is_not_undone(session: Session) -> None:
    said(session, "break at 3", "break at 3", "compare none", "reset", "breaks", "print t", "goto 5")
    said(session, "set u = 1", "delete 9", "unwatch 9", ok=False)
    assert said(session, "undo") == ["undid: break at 3"]
    said(session, "undo", ok=False)
    assert session.cursor.t == 5, "movements are not undone by it"


def test_hits_stay_counted_and_no_number_is_given_again(session: Session) -> None:
    said(session, "break at 3", "break at 9", "watch t", "set h[0] = 0", "continue")
    said(session, "undo", "undo", "undo")
    assert [str(point) for point in session.breakpoints] == ["breakpoint 1: at t=3, already hit 1 time"]
    texts = said(session, "break at 7", "watch c", "set h[0] = 0")
    assert [text.partition(":")[0] for text in texts] == ["breakpoint 3", "watch 2", "what-if 2"]
    assert said(session, "redo", ok=False) == ["there is nothing to redo"], "something else was done since"


def test_an_undo_that_cannot_be_run_leaves_everything_as_it_is(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    said(session, "set h[0] = 0", "set h[1] = 0")
    before, history = settings(session), session.history

    def stopped(*arguments: object) -> Trace:
        raise Cancelled

    monkeypatch.setattr(RerunEngine, "rerun", stopped)
    with pytest.raises(Cancelled):
        said(session, "undo")
    assert settings(session) == before
    assert session.history is history


def test_the_runs_of_what_ifs_are_not_kept_for_it(session: Session) -> None:
    said(session, "set h[0] = 0", "set h[1] = 0")
    kept = {type(part) for change in session.history.changes for part in vars(change.before).values()}
    assert Trace not in kept
    assert kept == {tuple, dict, type(None)}


def test_only_so_much_is_remembered(walked: Session) -> None:
    for number in range(MOST + 20):
        said(walked, f"break at {number % 300}", f"delete {number + 1}", f"goto {number % 299 + 1}")
    assert len(walked.history.changes) == len(walked.history.older) == MOST


def test_one_goes_back_to_where_one_was_and_on_again(walked: Session) -> None:
    said(walked, "goto 50", "layer 1 backward batch 1 unit 3", "model b", "last")
    places = [
        Cursor("a"),
        Cursor("a", 50),
        Cursor("a", 50, 1, "backward", 1, 3),
        Cursor("b", 50, 0, "forward", 1, 3),
    ]
    end = walked.cursor
    for place in reversed(places):
        said(walked, "older")
        assert walked.cursor == place
    assert "where the session began" in said(walked, "older", ok=False)[0]
    for place in (*places[1:], end):
        text = said(walked, "newer")
        assert walked.cursor == place
    assert text == ["at t=299, model b, batch 1"]
    said(walked, "newer", ok=False)


@pytest.mark.parametrize(
    "lines",
    [
        ["step"] * 9 + ["back"] * 2 + ["into", "into", "out", "step 10"],
        ["unit 1", "unit 2", "unit 3"],
        ["model b", "model a", "model b"],
    ],
)
def test_many_small_movements_are_one_to_go_back_from(lines: list[str], walked: Session) -> None:
    said(walked, "goto 100", *lines)
    reached = walked.cursor
    said(walked, "older")
    assert walked.cursor == Cursor("a", 100)
    said(walked, "newer")
    assert walked.cursor == reached
    said(walked, "step", "older")
    assert walked.cursor == reached, "what comes after going back is a movement of its own"


def test_every_hit_of_a_breakpoint_is_a_place(walked: Session) -> None:
    said(walked, "break at 20", "break at 40", "continue", "continue", "continue")
    for t in (40, 20, 0):
        said(walked, "older")
        assert walked.cursor.t == t


def test_going_back_goes_nowhere_that_is_not_there_and_skips_where_one_is(walked: Session) -> None:
    said(walked, "goto 250", "goto 3", "goto 250", "model b")
    walked.renew({"a": synthetic("lstm", 200, 6, name="a")})
    said(walked, "older")
    assert walked.cursor == Cursor("a", 3), "where it was at t=250 is where it is, at the last timestep"
    said(walked, "older")
    assert walked.cursor == Cursor("a", 199)


def test_what_is_put_aside_has_a_history_of_its_own(walked: Session) -> None:
    said(walked, "break at 5", "goto 9")
    aside = Snapshot.take(walked)
    start_clean(walked)
    said(walked, "undo", "older", ok=False)
    said(walked, "break at 6", "goto 8", "undo", "older")
    aside.restore(walked)
    assert said(walked, "undo", "older") == [
        "undid: break at 5",
        "at t=0, model a, layer 0, forward, batch 0",
    ]

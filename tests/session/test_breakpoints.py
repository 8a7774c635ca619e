"""Breakpoints: where a run stops in both directions, what is counted, said, and marked on the ruler."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from synthetic import Array, synthetic

from lstmtui.errors import UserError
from lstmtui.expressions import Expression, Scope, scope_of
from lstmtui.session import Session, Stop, marks
from lstmtui.session.breakpoints import MOST_BREAKPOINTS, Breakpoints
from lstmtui.session.continuation import MOST_NOTES, run_back, run_on
from lstmtui.trace import Trace, Traces

E = Expression


def with_c(values: Array, cell: str = "lstm", **options: object) -> Trace:
    """A trace whose c is `values` (T, H) in the first sequence."""
    steps, units = values.shape
    trace = synthetic(cell, steps, units, **options)  # type: ignore[arg-type]
    c = trace.values("c").copy()
    c[:, 0] = values
    return Trace(trace.header, {**trace.arrays, "0/forward/c": c})


@pytest.fixture
def session() -> Session:
    """Ten timesteps, c[0] = 1 at t = 2, 5 and 9, else 0."""
    values = np.zeros((10, 2), np.float32)
    values[[2, 5, 9], 0] = 1
    return Session(with_c(values))


def where(session: Session, forward: bool = True) -> tuple[str, int, tuple[int, ...]]:
    """How a run ended, at which timestep, and by which breakpoints."""
    stop = (run_on if forward else run_back)(session).stop
    return stop.kind, session.cursor.t, stop.breakpoints


def test_a_condition_stops_at_each_hit_and_then_at_the_end(session: Session) -> None:
    session.breakpoints.add_when(E("c[0] > 0"))
    assert [where(session) for _ in range(4)] == [
        ("breakpoint", 2, (1,)),
        ("breakpoint", 5, (1,)),
        ("breakpoint", 9, (1,)),
        ("end", 9, ()),
    ]


def test_running_back_meets_the_same_hits(session: Session) -> None:
    session.breakpoints.add_when(E("c[0] > 0"))
    session.last()
    assert [where(session, False) for _ in range(4)] == [
        ("breakpoint", 5, (1,)),
        ("breakpoint", 2, (1,)),
        ("start", 0, ()),
        ("start", 0, ()),
    ]


def test_a_position_stops_in_both_directions(session: Session) -> None:
    session.breakpoints.add_at(4)
    assert [where(session), where(session)] == [("breakpoint", 4, (1,)), ("end", 9, ())]
    assert [where(session, False), where(session, False)] == [("breakpoint", 4, (1,)), ("start", 0, ())]


def test_the_first_and_the_last_timestep_can_be_hit(session: Session) -> None:
    session.breakpoints.add_at(0)
    session.breakpoints.add_at(9)
    assert [where(session), where(session, False)] == [("breakpoint", 9, (2,)), ("breakpoint", 0, (1,))]


def test_the_stop_says_which_breakpoint_and_where(session: Session) -> None:
    session.breakpoints.add_when(E("c[0] > 0"))
    session.breakpoints.add_at(5)
    assert run_on(session).stop == Stop("breakpoint", "breakpoint 1: c[0] > 0 at t=2", (1,))
    text = "breakpoint 1: c[0] > 0 at t=5; breakpoint 2: at t=5"
    assert run_on(session).stop == Stop("breakpoint", text, (1, 2))
    assert [point.hits for point in session.breakpoints] == [2, 1]


def test_without_breakpoints_a_run_goes_to_the_end(session: Session) -> None:
    assert run_on(session).stop == Stop("end", "the end: t=9 is the last timestep")
    assert run_back(session).stop == Stop("start", "the start: t=0 is the first timestep")


def test_at_the_end_it_is_said_in_which_other_sequence_a_condition_holds_that_never_does_here() -> None:
    c = np.zeros((10, 2), np.float32)
    trace = with_c(c, batch=4, lengths=(10, 10, 10, 6))
    values = np.zeros((10, 4, 2), np.float32)
    values[8, 2], values[4, 3] = 1, 1
    session = Session(Trace(trace.header, {**trace.arrays, "0/forward/c": values}))
    session.breakpoints.add_when(E("c[0] > 0"))
    session.breakpoints.add_when(E("c[0] > 2"))
    session.breakpoints.add_when(E("c[0] > 0"), "with a note")
    elsewhere = "breakpoint 1: never in sequence 0, but in 2 at t=8: batch 2"
    assert run_on(session).stop.text.startswith(f"the end: t=9 is the last timestep; {elsewhere}")
    assert run_back(session).stop.text.startswith(f"the start: t=0 is the first timestep; {elsewhere}")
    session.select_batch(3)
    assert where(session) == ("breakpoint", 4, (1,))
    assert run_on(session).stop.text == "the end: t=5 is the last timestep"


def test_a_disabled_breakpoint_is_passed_until_it_is_enabled(session: Session) -> None:
    session.breakpoints.add_when(E("c[0] > 0"))
    session.breakpoints.disable(1)
    assert where(session) == ("end", 9, ())
    session.breakpoints.enable(1)
    assert where(session, False) == ("breakpoint", 5, (1,))
    session.breakpoints.delete(1)
    assert where(session, False) == ("start", 0, ())


def test_numbers_are_never_given_again() -> None:
    points = Breakpoints()
    assert [points.add_at(1).id, points.add_when(E("t > 3")).id] == [1, 2]
    assert points.delete(2) is not None
    assert points.add_at(3).id == 3
    assert [point.id for point in points] == [1, 3]
    assert points.delete(2) is points.enable(2) is points.disable(2) is None
    assert len(points) == 2


def test_there_is_an_end_to_how_many_there_may_be() -> None:
    points = Breakpoints()
    for t in range(MOST_BREAKPOINTS):
        points.add_at(t)
    with pytest.raises(UserError, match="1,000 breakpoints; delete one first"):
        points.add_at(0)
    points.delete(7)
    assert points.add_at(0).id == MOST_BREAKPOINTS + 1


def test_stepping_passes_breakpoints(session: Session) -> None:
    session.breakpoints.add_at(2)
    session.step(5)
    assert session.cursor.t == 5
    assert next(iter(session.breakpoints)).hits == 0


def test_a_note_is_said_and_does_not_stop(session: Session) -> None:
    session.breakpoints.add_when(E("c[0] > 0"), "written")
    session.breakpoints.add_when(E("t % 4 == 1"), "every fourth")
    ran = run_on(session)
    assert (ran.stop.kind, session.cursor.t) == ("end", 9)
    assert ran.notes == (
        (1, "every fourth"),
        (2, "written"),
        (5, "written"),
        (5, "every fourth"),
        (9, "written"),
        (9, "every fourth"),
    )
    assert [point.hits for point in session.breakpoints] == [3, 3]


def test_notes_are_said_up_to_the_stop_and_in_the_order_they_are_passed(session: Session) -> None:
    session.breakpoints.add_when(E("c[0] > 0"), "written")
    session.breakpoints.add_at(5)
    assert run_on(session).notes == ((2, "written"), (5, "written"))
    session.last()
    session.breakpoints.delete(2)
    assert run_back(session).notes == ((5, "written"), (2, "written"))


def test_a_note_at_every_timestep_of_a_long_run_is_bounded_and_every_hit_counted() -> None:
    session = Session(synthetic("lstm", 5_000, 2))
    session.breakpoints.add_when(E("t >= 0"), "here")
    notes = run_on(session).notes
    assert notes == tuple((t, "here") for t in range(1, MOST_NOTES + 1))
    assert next(iter(session.breakpoints)).hits == 4_999


@pytest.fixture
def two_models() -> Session:
    """An LSTM, and a GRU without f and c."""
    traces = {"LSTM": synthetic("lstm", 10, 4, name="LSTM"), "GRU": synthetic("gru", 10, 4, name="GRU")}
    return Session(Traces(traces))


def test_breakpoints_stay_when_another_model_is_selected(two_models: Session) -> None:
    two_models.breakpoints.add_when(E("min(f) >= 0"))
    two_models.breakpoints.add_at(6)
    two_models.select_model("GRU")
    assert where(two_models) == ("breakpoint", 6, (2,))
    stop = run_on(two_models).stop
    assert stop.text == "the end: t=9 is the last timestep; breakpoint 1 cannot be hit here"
    two_models.breakpoints.add_when(E("sum(c) < 0"), "never here")
    two_models.first()
    two_models.breakpoints.delete(2)
    assert run_on(two_models).stop.text.endswith("; breakpoints 1, 3 cannot be hit here")
    two_models.select_model("LSTM")
    two_models.first()
    assert where(two_models) == ("breakpoint", 1, (1,))


def test_a_shorter_sequence_is_run_to_its_own_end() -> None:
    session = Session(synthetic("lstm", 10, 2, batch=2, lengths=(10, 4)))
    session.select_batch(1)
    session.breakpoints.add_at(7)
    session.breakpoints.add_when(E("t > 3"))
    assert where(session) == ("end", 3, ())
    assert marks(session, 0, 10).breakpoints == marks(session, 0, 10).hits == ()


def test_the_previous_timestep_of_a_backward_layer_is_the_later_one() -> None:
    session = Session(synthetic("lstm", 10, 2, bidirectional=True))
    session.select_direction("backward")
    session.breakpoints.add_when(E("isnan(prev(f[0]))"))
    assert where(session) == ("breakpoint", 9, (1,))


CONDITIONS = ("c[0] > 0.5", "isnan(c[1])", "max(abs(c)) > 1.5 and t % 3", "norm(c) < norm(prev(c))", "t == 0")


@pytest.mark.parametrize("text", CONDITIONS)
def test_every_hit_of_a_run_in_either_direction_is_what_step_by_step_evaluation_finds(text: str) -> None:
    random = np.random.default_rng(3)
    values = random.normal(size=(700, 3)).astype(np.float32)
    values[random.random(values.shape) < 0.01] = np.nan
    session = Session(with_c(values))
    condition = E(text)
    expected = [t for t in range(700) if condition.condition(scope_of(session.view), t)]
    session.breakpoints.add_when(condition)
    on, back = [], []
    while run_on(session).stop.kind == "breakpoint":
        on.append(session.cursor.t)
    while run_back(session).stop.kind == "breakpoint":
        back.append(session.cursor.t)
    assert on == [t for t in expected if t > 0]
    assert back == [t for t in reversed(expected) if t < 699]
    assert list(marks(session, 0, 700).hits) == expected


def test_marks_are_the_enabled_positions_and_hits_of_a_page(session: Session) -> None:
    points = session.breakpoints
    points.add_at(3)
    points.add_at(8)
    points.add_when(E("c[0] > 0"))
    points.add_when(E("t == 4"), "four")
    assert (marks(session, 0, 10).breakpoints, marks(session, 0, 10).hits) == ((3, 8), (2, 4, 5, 9))
    assert (marks(session, 3, 6).breakpoints, marks(session, 3, 6).hits) == ((3,), (4, 5))
    points.disable(1)
    points.disable(3)
    assert (marks(session, 0, 10).breakpoints, marks(session, 0, 10).hits) == ((8,), (4,))
    assert [point.hits for point in points] == [0, 0, 0, 0]


@pytest.mark.parametrize(("start", "stop"), [(0, 0), (5, 3), (-4, 0), (50, 90), (-5, 99)])
def test_marks_of_pages_that_reach_outside_are_what_is_inside(
    session: Session, start: int, stop: int
) -> None:
    session.breakpoints.add_at(3)
    session.breakpoints.add_when(E("c[0] > 0"))
    found = marks(session, start, stop)
    inside = (start, stop) == (-5, 99)
    assert (found.breakpoints, found.hits) == (((3,), (2, 5, 9)) if inside else ((), ()))


def test_a_page_is_searched_once_for_each_place(two_models: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[range] = []
    holds = Expression.holds

    def counted(self: Expression, scope: Scope, ts: range) -> Array:
        searched.append(ts)
        return holds(self, scope, ts)

    monkeypatch.setattr(Expression, "holds", counted)
    two_models.breakpoints.add_when(E("h[0] > 0"))
    first = marks(two_models, 0, 10)
    two_models.step()
    assert marks(two_models, 0, 10) == first
    assert len(searched) == 1
    two_models.select_model("GRU")
    other = marks(two_models, 0, 10)
    assert len(searched) == 2
    two_models.select_model("LSTM")
    assert marks(two_models, 0, 10) == first != other
    assert len(searched) == 2
    marks(two_models, 0, 5)
    assert len(searched) == 3


def test_a_run_with_other_values_is_searched_anew_and_the_old_one_let_go(session: Session) -> None:
    session.breakpoints.add_when(E("c[0] > 0"))
    old = weakref.ref(session.trace)
    assert marks(session, 0, 10).hits == (2, 5, 9)
    session.traces = {session.cursor.model: with_c(np.eye(10, 2, dtype=np.float32))}
    assert marks(session, 0, 10).hits == (0,)
    gc.collect()
    assert old() is None


def test_marks_of_a_condition_that_means_nothing_here_are_none(two_models: Session) -> None:
    two_models.breakpoints.add_when(E("min(f) >= 0"))
    assert len(marks(two_models, 0, 10).hits) == 10
    two_models.select_model("GRU")
    assert marks(two_models, 0, 10).hits == ()

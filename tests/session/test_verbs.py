"""Every verb of the session: where the cursor goes, why it stopped, and what is refused."""

from __future__ import annotations

import pytest
from synthetic import synthetic

from lstmtui.errors import UserError
from lstmtui.session import Session, Stop
from lstmtui.trace import Traces
from lstmtui.view import Cursor


@pytest.fixture
def session() -> Session:
    """An LSTM of two layers in both directions, three sequences, and a smaller GRU beside it."""
    return Session(
        Traces(
            {
                "big": synthetic(
                    "lstm", 10, 6, layers=2, bidirectional=True, batch=3, lengths=(10, 4, 7), name="big"
                ),
                "small": synthetic("gru", 6, 3, name="small"),
            }
        )
    )


def at(session: Session, **changes: object) -> Cursor:
    """The cursor of a fresh session but for some fields."""
    return Cursor(**{**vars(Cursor(session.cursor.model)), **changes})  # type: ignore[arg-type]


def test_a_session_begins_at_the_first_timestep_of_the_first_model(session: Session) -> None:
    assert session.cursor == Cursor("big", 0, 0, "forward", 0, 0, None)
    assert session.trace is session.traces["big"]
    assert session.last_t == 9


def test_one_trace_alone_can_be_walked() -> None:
    session = Session(synthetic(name="alone"))
    assert (session.cursor.model, list(session.traces)) == ("alone", ["alone"])


def test_nothing_to_debug_is_refused() -> None:
    with pytest.raises(UserError, match="nothing to debug"):
        Session(Traces())


def test_step_and_back_walk_and_say_where(session: Session) -> None:
    assert session.step() == Stop("step", "t=1")
    assert session.step(5) == Stop("step", "t=6")
    assert session.back() == Stop("step", "t=5")
    assert session.back(5) == Stop("step", "t=0")
    assert session.cursor == at(session)


def test_walking_stops_at_both_ends_and_says_so(session: Session) -> None:
    assert session.step(1000) == Stop("end", "the end: t=9 is the last timestep")
    assert session.cursor.t == 9
    assert session.step().kind == "end"
    assert session.back(1000) == Stop("start", "the start: t=0 is the first timestep")
    assert session.back().kind == "start"
    assert session.cursor.t == 0


def test_stepping_exactly_to_the_end_is_a_step(session: Session) -> None:
    assert session.step(9).kind == "step"
    assert session.back(9).kind == "step"


def test_goto_first_and_last(session: Session) -> None:
    assert session.goto(7) == Stop("goto", "at t=7")
    assert session.last() == Stop("goto", "at t=9")
    assert session.first() == Stop("goto", "at t=0")


@pytest.mark.parametrize("t", [-1, 10, 10**12])
def test_goto_outside_is_refused_with_the_range(session: Session, t: int) -> None:
    session.goto(3)
    stop = session.goto(t)
    assert stop == Stop("refused", f"t={t}: this sequence has t=0 to t=9")
    assert not stop.ok
    assert session.cursor.t == 3


def test_into_evaluates_stage_after_stage_and_then_goes_to_the_next_timestep(session: Session) -> None:
    said = [session.into() for _ in range(8)]
    assert [stop.text for stop in said[:7]] == [f"{q} at t=0" for q in "figcoh"] + ["f at t=1"]
    assert {stop.kind for stop in said} == {"into"}
    assert session.cursor == at(session, t=1, stage=1)


def test_into_at_the_last_equation_of_the_last_timestep_is_the_end(session: Session) -> None:
    session.last()
    for _ in range(6):
        assert session.into().kind == "into"
    assert session.into() == Stop("end", "the end: t=9 is the last timestep")
    assert session.cursor == at(session, t=9, stage=5)


def test_into_follows_the_order_of_each_cell(session: Session) -> None:
    session.select_model("small")
    assert [session.into().text[0] for _ in range(4)] == ["r", "z", "n", "h"]


def test_out_goes_back_to_whole_timesteps_once(session: Session) -> None:
    session.into()
    assert session.out() == Stop("out", "whole timesteps, t=0")
    assert session.cursor.stage is None
    stop = session.out()
    assert stop.kind == "refused"
    assert "already at whole timesteps" in stop.text


def test_stepping_inside_a_timestep_stays_at_its_stage(session: Session) -> None:
    session.into()
    session.into()
    session.step()
    assert (session.cursor.t, session.cursor.stage) == (1, 1)


def test_what_is_looked_at_is_selected(session: Session) -> None:
    assert session.select_layer(1) == Stop("select", "layer 1")
    assert session.select_direction("backward") == Stop("select", "direction backward")
    assert session.select_batch(2) == Stop("select", "batch 2")
    assert session.select_unit(5) == Stop("select", "unit 5")
    assert session.cursor == Cursor("big", 0, 1, "backward", 2, 5)
    assert session.layer.index == 1


@pytest.mark.parametrize(
    ("verb", "argument", "sentence"),
    [
        ("select_model", "huge", "model huge: the models are: big, small"),
        ("select_layer", 2, "layer 2: this model has layers 0 to 1"),
        ("select_layer", -1, "layer -1: this model has layers 0 to 1"),
        ("select_direction", "up", "direction up: this layer has forward and backward"),
        ("select_batch", 3, "batch 3: this run has sequences 0 to 2"),
        ("select_batch", -1, "batch -1: this run has sequences 0 to 2"),
        ("select_unit", 6, "unit 6: this layer has units 0 to 5"),
        ("select_unit", -1, "unit -1: this layer has units 0 to 5"),
    ],
)
def test_what_is_not_there_is_refused_and_nothing_moves(
    session: Session, verb: str, argument: object, sentence: str
) -> None:
    before = session.cursor
    assert getattr(session, verb)(argument) == Stop("refused", sentence)
    assert session.cursor == before


def test_another_model_is_shown_at_the_same_place_as_far_as_it_has_one(session: Session) -> None:
    session.goto(8)
    session.select_layer(1)
    session.select_direction("backward")
    session.select_unit(5)
    for _ in range(6):
        session.into()
    assert session.select_model("small") == Stop("select", "model small")
    assert session.cursor == Cursor("small", t=5, layer=0, direction="forward", batch=0, unit=2, stage=3)
    session.select_model("big")
    assert session.cursor == Cursor("big", t=5, unit=2, stage=3)


def test_a_model_with_the_same_sizes_keeps_everything() -> None:
    traces = Traces({n: synthetic("lstm", layers=2, bidirectional=True, batch=2, name=n) for n in "ab"})
    session = Session(traces)
    session.goto(8)
    session.select_layer(1)
    session.select_direction("backward")
    session.select_batch(1)
    session.select_unit(4)
    session.into()
    session.select_model("b")
    assert session.cursor == Cursor("b", 8, 1, "backward", 1, 4, 0)


def test_a_shorter_sequence_has_its_own_end(session: Session) -> None:
    session.last()
    session.select_batch(1)
    assert (session.cursor.t, session.last_t) == (3, 3)
    assert session.step().text == "the end: t=3 is the last timestep"
    assert session.goto(4).text == "t=4: this sequence has t=0 to t=3"
    session.select_batch(2)
    assert (session.cursor.t, session.last_t) == (3, 6)


def test_a_stop_is_ok_unless_it_was_refused() -> None:
    kinds = ("step", "start", "end", "goto", "into", "out", "select", "refused")
    assert [kind for kind in kinds if not Stop(kind, "").ok] == ["refused"]  # type: ignore[arg-type]

"""Layers of one run that have unequal numbers of timesteps, such as an encoder and a decoder."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from synthetic import synthetic

from lstmtui.analysis.layer_names import layer_list, layer_name
from lstmtui.analysis.signal import signal
from lstmtui.analysis.windows import window
from lstmtui.errors import UserError
from lstmtui.session import Session, parse_line
from lstmtui.session.execute import execute
from lstmtui.trace import Trace


def unequal(own: tuple[int, ...] = (6, 4, 0)) -> Trace:
    """Ten timesteps of three sequences; the second layer has fewer, and has not read the third."""
    trace = synthetic("lstm", 10, 5, layers=2, batch=3, lengths=(10, 8, 10))
    paths = ("encoder.rnn", "decoder.rnn")
    layers = tuple(replace(one, path=p, index=0) for one, p in zip(trace.layers, paths, strict=True))
    return Trace(replace(trace.header, layers=layers), dict(trace.arrays) | {"1/lengths": np.array(own)})


@pytest.fixture
def session() -> Session:
    return Session(unequal())


def told(session: Session, line: str) -> str:
    return execute(session, parse_line(line)).text


def test_the_end_is_the_selected_layers_own(session: Session) -> None:
    assert told(session, "last") == "at t=9"
    assert told(session, "layer 1") == "layer 1 decoder.rnn"
    assert (session.cursor.t, session.last_t) == (5, 5)
    assert told(session, "goto 7") == "t=7: layer 1 has t=0 to t=5"
    assert told(session, "step 100") == "the end: t=5 is the last timestep"
    assert told(session, "layer 0") == "layer 0 encoder.rnn"
    assert session.last_t == 9


def test_a_sequence_that_a_layer_has_not_read_cannot_be_selected_there(session: Session) -> None:
    session.select_batch(2)
    session.select_layer(1)
    assert session.cursor.batch == 0
    assert told(session, "batch 2") == "batch 2: layer 1 has not read this sequence"
    assert session.cursor.batch == 0


def test_conditions_are_asked_of_the_layers_own_timesteps_only(session: Session) -> None:
    session.select_layer(1)
    told(session, "break when t > 6")
    assert told(session, "continue") == "the end: t=5 is the last timestep"
    told(session, "break when t == 5")
    told(session, "first")
    assert "t == 5" in told(session, "continue")


def test_maps_are_blank_past_the_layers_own_end_and_the_input_is_not(session: Session) -> None:
    session.select_layer(1)
    assert window(session.view, "h", 0, 10).valid.tolist() == [True] * 6 + [False] * 4
    assert not signal(session.view, 0, 10).lines[0].absent.any()


def test_another_run_is_held_beside_it_as_far_as_that_goes(session: Session) -> None:
    session.select_layer(1)
    session.last()
    assert session.view.fitted_to(unequal((3, 3, 0))).cursor.t == 2


@pytest.mark.parametrize("own", [(11, 4, 4), (-1, 4, 4), (0, 0, 0), (9, 9, 9)], ids=str)
def test_lengths_that_no_layer_can_have_are_refused(own: tuple[int, ...]) -> None:
    with pytest.raises(UserError, match="layer 1 is given other lengths than its sequences can have"):
        Session(unequal(own))


def test_layers_are_named_where_their_numbers_do_not_say_which_is_which() -> None:
    alone, both = synthetic("gru", layers=2), unequal()
    assert [layer_name(alone, at) for at in (0, 1)] == ["", ""]
    assert layer_name(both, 1) == "decoder.rnn"
    third = replace(both.layers[1], index=1)
    stacked = Trace(replace(both.header, layers=(*both.layers, third)), both.arrays)
    assert [layer_name(stacked, at) for at in (0, 1, 2)] == [
        "encoder.rnn",
        "decoder.rnn.l0",
        "decoder.rnn.l1",
    ]


def test_the_list_of_layers_says_sizes_and_timesteps() -> None:
    assert layer_list(unequal()).splitlines()[2:] == [
        "- layer 0 `encoder.rnn`: lstm 1 → 5, 10 timesteps",
        "- layer 1 `decoder.rnn`: lstm 5 → 5, 6 timesteps",
    ]

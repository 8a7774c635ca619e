"""What became of what was written: against loops in Python, what-ifs, and the lanes that show it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from oracles.recurrents import noise, random_recurrent, random_states
from torch import nn

from lstmtui.analysis.why.answer import ledger_at
from lstmtui.analysis.why.ledger import Place
from lstmtui.analysis.why.remains import asked_lane, where
from lstmtui.capture.record import record
from lstmtui.capture.reruns.rerun import rerun
from lstmtui.cells.cell import Cell, Equations, Parameters, Value
from lstmtui.cells.functions import σ
from lstmtui.errors import UserError
from lstmtui.models.recurrent import Recurrent
from lstmtui.trace import Trace
from lstmtui.trace.edits import Edit
from lstmtui.view import View


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_what_is_left_is_what_was_written_times_what_was_kept_since(direction: str) -> None:
    module = random_recurrent("lstm", bidirectional=True)
    trace = record(module, noise(9, 2, 3, seed=1), hx=random_states(module, 2), lengths=[9, 6])
    view = View.of(trace, 0, direction, 1)
    v = {q: trace.values(q, 0, direction)[:, 1, 2] for q in "fig"}
    order = range(6) if direction == "forward" else range(5, -1, -1)
    remains = where(view, "c", order[1], 2)
    left = v["i"][order[1]] * v["g"][order[1]]
    assert remains.written == pytest.approx(left, rel=1e-14)
    share = 1.0
    for at, t in enumerate(order[1:]):
        if at:
            share *= v["f"][t]
        assert remains.left[at] == pytest.approx(left * share, rel=1e-13)
    half = next((t for at, t in enumerate(order[1:]) if abs(remains.left[at] / left) <= 0.5), -1)
    assert remains.half == half
    lane = asked_lane(view, "remains", "c", order[1], 2).values
    assert lane[list(order[1:])] == pytest.approx(remains.left)
    assert np.isnan(lane[order[0]])
    assert np.isnan(lane[6:]).all()


def test_what_is_set_later_takes_everything_away() -> None:
    torch.manual_seed(0)
    trace = record(nn.LSTM(2, 3, dtype=torch.float64), torch.randn(9, 1, 2, dtype=torch.float64))
    changed = rerun(trace, [Edit(1, "", 0, "forward", 0, "c", 1, 0.5, 5, 6)])
    remains = where(View.of(changed), "c", 2, 1)
    assert (remains.left[3:] == 0).all()
    assert remains.ended == "set by you at t=5, and nothing of it is there from then on"
    assert where(View.of(changed), "c", 2, 0).ended == ""


def test_what_was_set_is_what_is_left_of_where_it_was_set() -> None:
    torch.manual_seed(0)
    trace = record(nn.LSTM(2, 3, dtype=torch.float64), torch.randn(9, 1, 2, dtype=torch.float64))
    changed = rerun(trace, [Edit(1, "", 0, "forward", 0, "c", 1, 0.75, 4, 4)])
    remains = where(View.of(changed), "c", 4, 1)
    f = changed.values("f")[:, 0, 1]
    wanted = 0.75 * np.cumprod([1.0, *f[5:]])
    assert remains.left == pytest.approx(wanted, rel=1e-13)
    assert remains.sentence().startswith("what t=4 wrote to c[1] is 0.750, set by you; half of it is ")
    lane = asked_lane(View.of(changed), "parts", "c", 7, 1).values
    parts = ledger_at(changed, Place("c", 7, 1, 0, "forward", 0)).parts
    assert {t: lane[t] for t in range(4, 8)} == {part.t: part.value for part in parts}
    assert np.isnan(lane[:4]).all()


def test_a_gate_that_reads_the_state_may_be_set_and_the_state_is_kept() -> None:
    trace = record(random_recurrent("lstm_peephole"), noise(6, 1, 3, seed=1))
    changed = rerun(trace, [Edit(1, "", 0, "forward", 0, "f_pre", None, 1.0, 3, 3)])
    v = {q: changed.values(q)[:, 0, 2] for q in "figc"}
    ledger = ledger_at(changed, Place("c", 3, 2, 0, "forward", 0))
    kept = np.array([v["f"][t + 1 : 4].prod() for t in range(4)])
    assert {p.t: p.value for p in ledger.parts} == pytest.approx(
        dict(enumerate((v["i"] * v["g"])[:4] * kept))
    )
    remains = where(View.of(changed), "c", 1, 2)
    assert remains.ended == ""
    assert remains.left == pytest.approx(v["i"][1] * v["g"][1] * np.cumprod([1.0, *v["f"][2:]]))


def kept_by_name(p: Parameters, x: Value, h: Value) -> Equations:
    """What is kept has a name of its own."""
    f = yield "f", σ(p.W_f @ x + p.b_f)
    kept = yield "kept", f * h
    yield "h", kept - (1 - f)


def test_what_carries_the_state_takes_everything_away_where_it_is_set() -> None:
    module = Recurrent(Cell("kept_by_name", kept_by_name, rows=("f",), states=("h",)), 3, 4)
    trace = record(module, noise(7, 1, 3, seed=1, dtype=torch.float32))
    changed = rerun(trace, [Edit(1, "", 0, "forward", 0, "kept", 2, 0.5, 4, 4)])
    remains = where(View.of(changed), "h", 2, 2)
    assert (remains.left[:2] != 0).all()
    assert (remains.left[2:] == 0).all()
    assert remains.ended.startswith("set by you at t=4")
    assert {part.t for part in ledger_at(changed, Place("h", 6, 2, 0, "forward", 0)).parts} == {4, 5, 6}


@pytest.mark.parametrize(("bad", "word"), [(np.nan, "NaN"), (np.inf, "+inf")])
def test_a_factor_that_is_not_finite_is_said_and_nothing_of_halves(bad: float, word: str) -> None:
    trace = record(nn.LSTM(2, 3), torch.ones(6, 1, 2))
    arrays = dict(trace.arrays)
    f = arrays["0/forward/f"].copy()
    f[1:] = 0.9
    f[3] = bad
    remains = where(View.of(Trace(trace.header, {**arrays, "0/forward/f": f})), "c", 1, 0)
    assert remains.half == -1
    head, words, left = remains.sentence().split("; ")
    assert words == f"f is {word} at t=3: nothing can be said of it from then on"
    assert "half" not in head + left


def test_a_product_has_no_lane() -> None:
    trace = record(nn.LSTM(2, 3), torch.ones(4, 1, 2))
    with pytest.raises(UserError, match=r"h\[1\] is no sum over timesteps"):
        asked_lane(View.of(trace), "parts", "h", 2, 1)


def test_routes_of_one_timestep_are_added_up_in_a_lane() -> None:
    trace = record(nn.LSTM(2, 3, dtype=torch.float64), noise(6, 1, 2, seed=1))
    lane = asked_lane(View.of(trace), "parts", "routes dh", 3, 1).values
    assert np.nansum(lane) == pytest.approx(trace.values("dh")[3, 0, 1], rel=1e-12)
    assert np.flatnonzero(~np.isnan(lane)).tolist() == [3, 4]


def test_a_lane_has_what_each_timestep_wrote_that_is_still_there() -> None:
    torch.manual_seed(0)
    trace = record(nn.GRU(2, 3, dtype=torch.float64), torch.randn(9, 1, 2, dtype=torch.float64))
    lane = asked_lane(View.of(trace), "parts", "h", 6, 1).values
    parts = ledger_at(trace, Place("h", 6, 1, 0, "forward", 0)).parts
    assert {t: lane[t] for t in range(7)} == {part.t: part.value for part in parts}
    assert np.isnan(lane[7:]).all()
    dlane = asked_lane(View.of(trace), "parts", "dh", 3, 1).values
    assert dlane[8] == trace.values("dh")[3, 0, 1]


def test_the_hidden_state_of_an_lstm_is_made_anew_at_each_timestep() -> None:
    trace = record(nn.LSTM(2, 3), torch.ones(4, 1, 2))
    with pytest.raises(
        UserError, match="h: no factor keeps it from one timestep to the next; c is kept in this way"
    ):
        where(View.of(trace), "h", 1, 0)
    with pytest.raises(UserError, match="t=4: this sequence has t=0 to t=3"):
        where(View.of(trace), "c", 4, 0)


def test_the_sentence_says_when_half_was_gone_and_what_is_left() -> None:
    trace = record(nn.LSTM(2, 3), torch.ones(4, 1, 2))
    remains = replace(where(View.of(trace), "c", 1, 0), written=0.5, left=np.array([0.5, 0.2]), half=2)
    assert (
        remains.sentence()
        == "what t=1 wrote to c[0] is 0.500; half of it is gone at t=2; 0.200 is left at t=2"
    )

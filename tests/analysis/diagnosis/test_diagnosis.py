"""A whole diagnosis: order, names, commands, and quiet where all is well."""

from __future__ import annotations

import numpy as np
import pytest
from made_runs import made
from synthetic import synthetic

import lstmtui
from lstmtui.analysis.diagnosis import (
    BAD,
    FINE,
    LOOK,
    NAMES,
    NOT_MEASURED,
    SEVERITIES,
    diagnose,
    diagnose_trace,
)
from lstmtui.scenario import find_scenario
from lstmtui.session import Session, parse_line
from lstmtui.session.execute import execute
from lstmtui.session.parse import parse_script
from lstmtui.trace import Trace


@pytest.mark.parametrize("name", ["airline", "adding", "brackets"])
def test_trained_models_have_nothing_bad(name: str) -> None:
    for trace in lstmtui.run(find_scenario(name)).values():
        assert not [str(v) for v in diagnose_trace(trace) if v.severity == BAD]


def test_the_plain_networks_of_latch_vanish_and_the_gated_ones_do_not() -> None:
    for name, trace in lstmtui.run(find_scenario("latch")).items():
        bad = {v.name for v in diagnose_trace(trace) if v.severity == BAD}
        assert bad == ({"vanishing"} if name.startswith("rnn") else set()), name


def test_what_is_bad_comes_first_and_every_command_can_be_executed() -> None:
    trace = made("lstm", weight_ih_l0=lambda w: w * 1e4, batch=2, bidirectional=True)
    trace.arrays["0/backward/i"][7, 1, 2] = np.nan
    found = diagnose_trace(trace)
    ranks = [SEVERITIES.index(v.severity) for v in found]
    assert ranks == sorted(ranks, reverse=True)
    assert found[0].name == "nonfinite"
    assert found[0].next == "first-bad"
    assert {v.name for v in found} <= set(NAMES)
    session = Session(trace)
    for verdict in found:
        assert bool(verdict.next) == (verdict.severity in (LOOK, BAD)) or verdict.name == "stuck"
        if verdict.next:
            for command in parse_script(verdict.next):
                assert execute(session, command).ok, verdict.next
            if verdict.layer is not None:
                cursor = session.cursor
                assert (cursor.layer, cursor.direction) == (verdict.layer, verdict.direction)
                assert not verdict.units or cursor.unit == verdict.units[0] or verdict.name == "saturated"


@pytest.mark.parametrize("cell", ["rnn_relu", "lstm_peephole", "gru_reset_before"])
def test_any_shape_can_be_diagnosed(cell: str) -> None:
    for steps, batch in ((1, 1), (10, 3), (3000, 2)):
        trace = synthetic(cell, steps, 3, layers=2, bidirectional=True, batch=batch)
        assert {v.direction for v in diagnose_trace(trace)} >= {"forward", "backward"} or steps < 10


def test_a_run_full_of_nan_is_one_verdict_and_no_warning() -> None:
    trace = synthetic("lstm", 50, 4)
    spoilt = {k: np.full_like(a, np.nan) if k.startswith("0/") else a for k, a in trace.arrays.items()}
    found = diagnose_trace(Trace(trace.header, spoilt))
    assert [v.name for v in found if v.severity == BAD] == ["nonfinite", "nonfinite"]


def test_a_run_without_gradients_is_diagnosed_without_them() -> None:
    trace = made("gru")
    kept = [key for key in trace.arrays if not key.rpartition("/")[2].startswith(("d", "reads"))]
    arrays = {key: trace.arrays[key] for key in kept}
    by_name = {v.name: v.severity for v in diagnose_trace(Trace(trace.header, arrays))}
    assert by_name["saturated"] == FINE
    assert {by_name[n] for n in ("nonfinite", "vanishing", "exploding", "unread")} == {NOT_MEASURED}


def test_the_verb_says_what_is_not_fine() -> None:
    command = parse_line("diagnose")
    assert command is not None
    quiet = execute(Session(made("gru")), command)
    assert quiet.ok
    assert quiet.text == "nothing is wrong: every verdict is fine"
    loud = execute(Session(made("lstm", bias_ih_l0=lambda b: b - 60)), command)
    assert "unwritten, bad: layer 0 forward: " in loud.text


def test_verdicts_are_worked_out_once_for_a_run() -> None:
    session = Session(made("gru"))
    assert diagnose(session.view) is diagnose(session.view)

"""What-ifs in a session: listed, taken back, kept beside the baseline, and refused in sentences."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from oracles.recurrents import noise, random_recurrent

from lstmtui.capture.engine import RerunEngine
from lstmtui.capture.record import record
from lstmtui.errors import Cancelled, UserError
from lstmtui.expressions import Expression, scope_of
from lstmtui.session import Session, WhatIfs
from lstmtui.session.execute import execute
from lstmtui.session.parse import parse_line
from lstmtui.trace import Trace, Traces
from lstmtui.view import Cursor


def recorded(cell: str, name: str = "", lengths: list[int] | None = None, **options: Any) -> Trace:
    module = random_recurrent(cell, **options)
    batch = 1 if lengths is None else len(lengths)
    return record(module, noise(10, batch, 3, seed=4), lengths=lengths, name=name or cell)


@pytest.fixture
def session() -> Session:
    return Session(Traces({"a": recorded("lstm", "a"), "b": recorded("gru", "b")}), RerunEngine())


def said(session: Session, line: str, ok: bool = True) -> str:
    command = parse_line(line)
    assert command is not None
    outcome = execute(session, command)
    assert outcome.ok == ok, outcome.text
    return outcome.text


def variants(session: Session) -> WhatIfs:
    assert session.what_ifs is not None
    return session.what_ifs


def value(session: Session, text: str, t: int) -> Any:
    return Expression(text).evaluate(scope_of(session.view), t)


def test_set_shows_the_variant_and_keeps_the_baseline(session: Session) -> None:
    baseline = session.trace
    text = said(session, "set f[1] = 1.0 from 2 to 4")
    losses = f"loss {session.trace.loss:.6g}, was {baseline.loss:.6g}"
    assert text == f"what-if 1: f[1] = 1 from t=2 to t=4 in model a; {losses}"
    assert session.trace is not baseline
    assert session.baseline is baseline is session.traces["a"]
    assert (session.trace.values("f")[2:5, 0, 1] == 1).all()
    assert value(session, "f[1]", 3) == 1 != value(session, "base(f[1])", 3)
    assert value(session, "any(dh != base(dh))", 1) is True
    assert value(session, "loss", 0) == session.trace.loss != value(session, "base(loss)", 0)


def test_several_are_listed_and_each_can_be_taken_back(session: Session) -> None:
    baseline = session.trace
    said(session, "set f = 1 from 2")
    one = session.trace
    said(session, "set x[-1] = 0 from 5 to 5")
    said(session, "set c[0] = nan from 9")
    assert [str(e) for e in variants(session).edits] == [
        "f = 1 from t=2 to t=9",
        "x[2] = 0 at t=5",
        "c[0] = nan at t=9",
    ]
    assert session.trace.header.what_ifs == tuple(map(str, variants(session).edits))
    assert said(session, "unset").startswith("took back what-if 3: c[0] = nan at t=9 in model a; loss ")
    assert said(session, "unset 2").startswith("took back what-if 2: x[2] = 0 at t=5")
    for name in one.quantities():
        assert np.array_equal(session.trace.values(name), one.values(name))
    assert said(session, "unset 1").endswith(f"; the run is as it was recorded, loss {baseline.loss:.6g}")
    assert session.trace is baseline
    assert said(session, "unset", ok=False) == "there are no what-ifs"
    assert said(session, "set f = 1").startswith("what-if 4: ")
    assert said(session, "unset 2", ok=False) == "what-if 2: there is no such what-if; there are: 4"


@pytest.mark.parametrize(
    ("line", "remark"),
    [
        ("set f = 2", "a gate lies in (0, 1), 2 does not"),
        ("set o[1] = -0.5 from 2", "a gate lies in (0, 1), −0.5 does not"),
        ("set g = inf", "g of the cell lstm lies in (-1, 1), +inf does not"),
        ("set h = 1.5", "h of the cell lstm lies in (-1, 1), 1.5 does not"),
        ("set f = 1", ""),
        ("set f = nan", ""),
        ("set c = 9", ""),
        ("set f_pre = 9", ""),
        ("set x = 9", ""),
    ],
)
def test_a_value_that_no_equation_gives_is_set_and_said(session: Session, line: str, remark: str) -> None:
    text = said(session, line)
    assert ("lies" in text) == bool(remark)
    assert remark.replace("−", "-") in text.replace("−", "-")
    edit = variants(session).edits[0]
    shown = session.trace.values(edit.quantity)[edit.start, 0]
    assert np.array_equal(shown[edit.unit], np.float64(edit.value), equal_nan=True) or edit.unit is None


def test_reset_brings_everything_back(session: Session) -> None:
    recorded_runs = dict(session.traces)
    assert said(session, "reset") == "there are no what-ifs"
    said(session, "set o = 0")
    said(session, "model b")
    said(session, "set z[0] = 1 from 3")
    said(session, "loss at 4 unit 1")
    assert said(session, "reset") == "everything is as it was recorded"
    for name, trace in recorded_runs.items():
        session.select_model(name)
        assert session.trace is trace
        assert name not in variants(session).runs
    assert variants(session).edits == ()


def test_what_ifs_stay_with_the_model_they_were_made_for(session: Session) -> None:
    said(session, "set o = 0")
    changed = session.trace
    said(session, "model b")
    assert session.trace is session.baseline
    said(session, "set r = 0.5 from 1 to 2")
    assert session.trace is not session.baseline
    said(session, "model a")
    assert session.trace is changed
    said(session, "unset 2")
    assert session.trace is changed
    said(session, "model b")
    assert session.trace is session.baseline


def test_what_is_selected_says_where_the_change_is() -> None:
    trace = recorded("lstm", num_layers=2, bidirectional=True, lengths=[10, 6])
    session = Session(trace, RerunEngine())
    for line in ("layer 1", "direction backward", "batch 1"):
        said(session, line)
    text = said(session, "set c = 0.5")
    assert text.startswith("what-if 1: c = 0.5 from t=0 to t=5 in layer 1, backward, batch 1; loss ")
    assert (session.trace.values("c", 1, "backward")[:6, 1] == 0.5).all()
    assert not session.trace.values("c", 1, "backward")[6:, 1].any()
    assert np.array_equal(
        session.trace.values("c", 1, "backward")[:, 0], trace.values("c", 1, "backward")[:, 0]
    )
    said(session, "layer 0")
    assert said(session, "set x[0] = 1 from 2 to 2").startswith("what-if 2: x[0] = 1 at t=2 in batch 1;")
    for direction in ("forward", "backward"):
        assert session.trace.values("x", 0, direction)[2, 1, 0] == 1


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (["set z = 0"], "z: the cell lstm has x, f_pre, f, i_pre, i, g_pre, g, c, o_pre, o, h"),
        (["set f[4] = 0"], "unit 4: f has units 0 to 3"),
        (["set f[-5] = 0"], "unit -5: f has units 0 to 3"),
        (["set x[3] = 0"], "unit 3: x has units 0 to 2"),
        (["set f = 0 from 10"], "t=10: this sequence has t=0 to t=9"),
        (["set f = 0 from 3 to 10"], "t=10: this sequence has t=0 to t=9"),
        (["batch 1", "set f = 0 from 2 to 6"], "t=6: this sequence has t=0 to t=5"),
        (["layer 1", "set x[0] = 0"], "x of layer 1 is h of layer 0: set that, or x of layer 0"),
        (["loss at 10"], "t=10: this sequence has t=0 to t=9"),
        (["batch 1", "loss at 6"], "t=6: this sequence has t=0 to t=5"),
        (["loss at 3 unit 4"], "unit 4: h has units 0 to 3"),
    ],
)
def test_what_cannot_be_changed_is_refused_and_changes_nothing(lines: list[str], text: str) -> None:
    session = Session(recorded("lstm", num_layers=2, lengths=[10, 6]), RerunEngine())
    for line in lines[:-1]:
        said(session, line)
    assert said(session, lines[-1], ok=False).startswith(text)
    assert session.trace is session.baseline
    assert variants(session).edits == ()


def test_loss_at_retakes_the_gradients_of_the_selected_sequence(session: Session) -> None:
    baseline = session.trace
    text = said(session, "loss at 4 unit 1")
    expected = baseline.values("h")[4, 0, 1]
    assert text == f"the gradients are of h[1] at t=4, sequence 0, which is {expected:.6g}"
    assert session.trace.values("h") is baseline.values("h")
    assert session.trace.loss == expected
    assert session.trace.values("dh")[4, 0].tolist() == [0, 1, 0, 0]
    assert not session.trace.values("dh")[5:].any()
    said(session, "set o[1] = 0.5 from 4 to 4")
    held = session.trace
    assert held.loss == held.values("h")[4, 0, 1] == 0.5 * np.tanh(held.values("c")[4, 0, 1])
    said(session, "unset")
    assert session.trace.loss == expected
    said(session, "loss at 2")
    assert session.trace.values("dh")[2, 0].tolist() == [1, 1, 1, 1]
    assert session.trace.loss == pytest.approx(float(baseline.values("h")[2, 0].sum()), abs=1e-15)


def test_the_output_can_be_set_where_it_is_known(session: Session) -> None:
    said(session, "set y[-1] = 2 from 3 to 3")
    assert session.trace.values("y")[3, 0, 3] == 2 != session.trace.values("h")[3, 0, 3]
    bare = Trace(session.baseline.header, {k: a for k, a in session.baseline.arrays.items() if k != "y"})
    alone = Session(bare, RerunEngine())
    assert said(alone, "set y[0] = 2", ok=False).startswith("y: it was made by code of the model's own")


def test_compare_names_another_run_and_refuses_what_is_none(session: Session) -> None:
    assert said(session, "compare b").startswith("compared with b; ")
    assert session.compared is session.traces["b"] is session.other
    assert said(session, "compare c", ok=False).startswith("c: no model and no saved trace")
    assert session.compared is session.traces["b"]
    said(session, "compare none")
    assert session.compared is session.other is None


def test_a_run_with_what_ifs_is_held_against_the_recorded_one(session: Session) -> None:
    said(session, "set h[0] = 2 from 1 to 1")
    assert session.other is session.baseline
    said(session, "compare b")
    assert session.other is session.traces["b"]
    said(session, "reset")
    said(session, "compare none")
    assert session.other is None


class Failing:
    """An engine that is stopped, or cannot go on, after so many runs."""

    def __init__(self, runs: int, error: Exception) -> None:
        self.left, self.error, self.true = runs, error, RerunEngine()

    def rerun(self, *arguments: Any) -> Trace:
        self.left -= 1
        if self.left < 0:
            raise self.error
        return self.true.rerun(*arguments)


@pytest.mark.parametrize("error", [Cancelled(), UserError("no memory")])
@pytest.mark.parametrize(
    "act",
    [
        lambda v: v.unset(1),
        lambda v: v.loss(Cursor(next(iter(v.recorded))), 3),
        lambda v: v.unset(None),
    ],
    ids=["unset", "loss", "latest"],
)
def test_a_run_that_fails_leaves_everything_as_it_was(
    error: Exception, act: Callable[[WhatIfs], str]
) -> None:
    session = Session(recorded("lstm"), Failing(2, error))
    said(session, "set f = 1 from 3")
    said(session, "set i = 0 from 3")
    trace, edits = session.trace, variants(session).edits
    with pytest.raises(type(error)):
        act(variants(session))
    assert session.trace is trace
    assert variants(session).edits == edits
    said(session, "reset")
    assert session.trace is session.baseline


def test_a_run_that_is_going_on_says_how_far_it_is(session: Session) -> None:
    seen: list[tuple[int, int]] = []
    variants(session).progress = lambda done, total: seen.append((done, total))
    said(session, "set f = 1 from 7")
    assert seen == [(3, 3)]


def test_a_session_without_an_engine_says_that_it_cannot(session: Session) -> None:
    alone = Session(session.traces)
    assert said(alone, "set f = 1", ok=False).startswith("this session cannot run models again")


def test_torch_is_loaded_when_a_what_if_is_asked_for_and_not_before() -> None:
    code = """
import sys
from synthetic import synthetic
from lstmtui.capture.engine import RerunEngine
from lstmtui.session import Session
from lstmtui.session.execute import execute
from lstmtui.session.parse import parse_line
session = Session(synthetic(steps=5), RerunEngine())
execute(session, parse_line("step"))
print("torch" in sys.modules)
print(execute(session, parse_line("set f = 1 from 3")).text)
print("torch" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    before, text, after = done.stdout.splitlines()
    assert (before, after) == ("False", "True")
    assert "no loss and no derivatives" in text

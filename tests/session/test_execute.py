"""Commands on a session: what each verb does, what is said of it, and what is refused."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from synthetic import synthetic
from torch import nn

from lstmtui.capture.engine import RerunEngine
from lstmtui.capture.record import record
from lstmtui.cells.notation import plain
from lstmtui.errors import UserError
from lstmtui.models.recurrent import Recurrent
from lstmtui.session import Session
from lstmtui.session.execute import execute
from lstmtui.session.language import Change
from lstmtui.session.outcome import Outcome
from lstmtui.session.parse import parse_line
from lstmtui.session.requests import Export, Note, Pause, Quit, Request, Screenshot, ShowWhy
from lstmtui.trace import Trace, Traces
from lstmtui.view import Cursor


@pytest.fixture
def session() -> Session:
    """An LSTM of two layers in both directions with three sequences, and a smaller GRU."""
    big = synthetic("lstm", 10, 6, layers=2, bidirectional=True, batch=3, lengths=(10, 4, 7), name="big")
    return Session(Traces({"big": big, "small": synthetic("gru", 6, 12, name="small")}))


@pytest.fixture
def alone() -> Session:
    """An LSTM whose forget gate is 0.5, 0.25, 0.125 … in every unit."""
    trace = synthetic("lstm", 6, 3, name="alone")
    f = np.repeat(0.5 ** np.arange(1, 7, dtype=np.float32), 3).reshape(6, 1, 3)
    return Session(Trace(trace.header, {**trace.arrays, "0/forward/f": f}))


def run(session: Session, text: str) -> Outcome:
    """The outcome of a line that is a command."""
    command = parse_line(text)
    assert command is not None
    return execute(session, command)


def said(session: Session, *lines: str) -> str:
    """What the last of several commands says."""
    return [run(session, line).text for line in lines][-1]


@pytest.mark.parametrize(
    ("lines", "kind", "cursor"),
    [
        (["step"], "step", Cursor("big", 1)),
        (["step 3", "back"], "step", Cursor("big", 2)),
        (["step 99"], "end", Cursor("big", 9)),
        (["goto 7"], "goto", Cursor("big", 7)),
        (["goto -1"], "goto", Cursor("big", 9)),
        (["goto -10"], "goto", Cursor("big", 0)),
        (["batch 1", "goto -2"], "goto", Cursor("big", 2, batch=1)),
        (["last"], "goto", Cursor("big", 9)),
        (["last", "first"], "goto", Cursor("big", 0)),
        (["into", "into"], "into", Cursor("big", 0, stage=1)),
        (["into", "out"], "out", Cursor("big", 0)),
        (["layer 1"], "select", Cursor("big", 0, 1)),
        (["direction backward"], "select", Cursor("big", direction="backward")),
        (["batch 2"], "select", Cursor("big", batch=2)),
        (["unit 5"], "select", Cursor("big", unit=5)),
        (["model small"], "select", Cursor("small")),
        (["break at 4", "continue"], "breakpoint", Cursor("big", 4)),
        (["last", "break at 4", "rcontinue"], "breakpoint", Cursor("big", 4)),
        (["continue"], "end", Cursor("big", 9)),
        (["last", "rcontinue"], "start", Cursor("big", 0)),
    ],
)
def test_movements_move_and_say_why_they_stopped(
    session: Session, lines: list[str], kind: str, cursor: Cursor
) -> None:
    outcomes = [run(session, line) for line in lines]
    stop = outcomes[-1].stop
    assert stop is not None
    assert (stop.kind, session.cursor) == (kind, cursor)
    assert all(outcome.ok for outcome in outcomes)
    assert outcomes[-1].text == stop.text


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("goto 10", "t=10: this sequence has t=0 to t=9"),
        ("goto -11", "t=-11: this sequence has t=0 to t=9"),
        ("out", "already at whole timesteps; `into` goes inside one"),
        ("layer 2", "layer 2: this model has layers 0 to 1"),
        ("batch 3", "batch 3: this run has sequences 0 to 2"),
        ("unit 6", "unit 6: this layer has units 0 to 5"),
        ("model huge", "model huge: the models are: big, small"),
        ("break at 10", "t=10: the longest sequence has t=0 to t=9"),
        ("delete 1", "breakpoint 1: there is no such breakpoint; there are: none"),
        ("enable 1", "breakpoint 1: there is no such breakpoint; there are: none"),
        ("disable 7", "breakpoint 7: there is no such breakpoint; there are: none"),
        ("unwatch 2", "watch 2: there is no such watch; there are: none"),
        ("set f[3] = 1.0 from 2", "this session cannot run models again"),
        ("unset", "this session cannot run models again"),
        ("reset", "this session cannot run models again"),
        ("loss at 3", "this session cannot run models again"),
    ],
)
def test_what_cannot_be_done_is_refused_and_nothing_moves(session: Session, line: str, text: str) -> None:
    outcome = run(session, line)
    assert not outcome.ok
    assert outcome.text.startswith(text)
    assert session.cursor == Cursor("big")
    assert len(session.breakpoints) == len(session.watches) == 0


def test_print_shows_the_expression_its_value_and_the_place(alone: Session, session: Session) -> None:
    outcome = run(alone, "print f[1] + t")
    assert (outcome.ok, outcome.value, outcome.text) == (True, 0.5, "f[1] + t = 0.5 at t=0")
    assert said(alone, "step 2", "print f") == "f = [0.125, 0.125, 0.125] at t=2"
    assert said(alone, "print f > 0.2") == "f > 0.2 = [false, false, false] at t=2"
    assert said(alone, "print all(f < 0.2)") == "all(f < 0.2) = true at t=2"
    place = "at t=2, model big, layer 1, backward, batch 2"
    lines = ("goto 2", "layer 1", "direction backward", "batch 2", "print t")
    assert said(session, *lines) == f"t = 2 {place}"


def test_a_printed_vector_is_the_whole_vector_and_its_text_is_short(session: Session) -> None:
    run(session, "model small")
    h = session.trace.values("h")[0, 0].copy()
    outcome = run(session, "print h")
    assert np.array_equal(np.asarray(outcome.value), h)
    first = ", ".join(f"{v:.6g}" for v in h[:8])
    reach = f"{h.min():.6g} to {h.max():.6g}"
    assert outcome.text == f"h = [{first}, …] (12 units, {reach}) at t=0, model small"
    assert said(session, "print h > 2").endswith("false, …] (12 units, 0 true) at t=0, model small")
    assert "(12 units, 12 not finite)" in said(session, "print log(h - 9)")


def test_values_that_are_not_finite_are_shown_as_what_they_are(alone: Session) -> None:
    assert said(alone, "print 1 / 0") == "1 / 0 = +inf at t=0"
    assert said(alone, "print log(-1)") == "log(-1) = NaN at t=0"
    assert said(alone, "print -0.0") == "-0.0 = -0 at t=0"


def test_an_expect_that_holds_is_fine_and_says_so(alone: Session) -> None:
    outcome = run(alone, "expect min(f) > 0.4")
    assert (outcome.ok, outcome.expect) == (True, True)
    assert outcome.text == "min(f) > 0.4 holds: min(f) = 0.5 at t=0"


def test_an_expect_that_does_not_hold_shows_expression_values_and_place(alone: Session) -> None:
    outcome = run(alone, "expect max(f) < 0.4")
    assert (outcome.ok, outcome.expect) == (False, False)
    assert outcome.text == "max(f) < 0.4 does not hold: max(f) = 0.5 at t=0"
    text = said(alone, "step", "expect not (f[0] < prev(f[0]) <= 0.5) or t > 2")
    values = "f[0] = 0.25, prev(f[0]) = 0.5, t = 1"
    assert text == f"not (f[0] < prev(f[0]) <= 0.5) or t > 2 does not hold: {values} at t=1"


def test_only_what_varies_is_shown_of_a_condition(alone: Session) -> None:
    assert said(alone, "expect 1 > 2") == "1 > 2 does not hold at t=0"
    many = " and ".join(f"t < {n} + t" for n in range(1, 9))
    assert said(alone, f"expect {many}").count(" + t = ") == 5


def test_an_expect_that_means_nothing_here_does_not_hold(session: Session) -> None:
    outcome = run(session, "expect norm(z) > 0")
    assert (outcome.ok, outcome.expect) == (False, False)
    assert outcome.text.startswith("norm(z) > 0: z is not there")
    assert outcome.text.endswith("at t=0, model big, layer 0, forward, batch 0")
    printed = run(session, "print c[6]")
    assert (printed.ok, printed.expect, printed.value) == (False, None, None)


def test_breakpoints_are_made_listed_switched_and_deleted(alone: Session) -> None:
    assert said(alone, "breaks") == "there are no breakpoints"
    assert said(alone, "break when min(f) < 0.1") == "breakpoint 1: min(f) < 0.1"
    assert said(alone, "break at 2") == "breakpoint 2: at t=2"
    assert said(alone, "c") == "breakpoint 2: at t=2"
    assert said(alone, "c") == "breakpoint 1: min(f) < 0.1 at t=3"
    assert said(alone, "disable 1") == "breakpoint 1: min(f) < 0.1, disabled, already hit 1 time"
    assert said(alone, "continue") == "the end: t=5 is the last timestep"
    assert said(alone, "enable 1") == "enabled breakpoint 1: min(f) < 0.1, already hit 1 time"
    outcome = run(alone, "rcontinue")
    assert outcome.stop is not None
    assert (outcome.text, outcome.stop.breakpoints) == (
        "breakpoint 1: min(f) < 0.1 at t=4",
        (1,),
    )
    assert said(alone, "delete 2") == "deleted breakpoint 2: at t=2, already hit 1 time"
    assert said(alone, "breaks") == "breakpoint 1: min(f) < 0.1, already hit 2 times"
    assert said(alone, "delete 2").endswith("there are: 1")


def test_notes_of_breakpoints_come_with_their_timesteps(alone: Session) -> None:
    made = said(alone, "break when 0.1 < f[0] < 0.3 note half closed")
    assert made == 'breakpoint 1: 0.1 < f[0] < 0.3, notes "half closed"'
    outcome = run(alone, "continue")
    assert outcome.notes == ((1, "half closed"), (2, "half closed"))
    assert outcome.text == "the end: t=5 is the last timestep; 2 notes on the way"


def test_more_notes_than_are_kept_are_not_said_to_be_all() -> None:
    session = Session(synthetic("lstm", 3_000, 2))
    said(session, "break when t > 0 note so it is")
    assert said(session, "continue").endswith("; the first 1,000 notes on the way")


def test_a_breakpoint_for_another_model_is_kept_and_one_for_none_is_refused(session: Session) -> None:
    outcome = run(session, "break when min(z) < 0.5")
    assert outcome.ok
    assert "it cannot be hit here: z is not there" in outcome.text
    assert said(session, "breaks") == "breakpoint 1: min(z) < 0.5, cannot be hit here"
    refused = run(session, "break when c[12] > 0")
    assert not refused.ok
    assert len(session.breakpoints) == 1
    assert said(session, "model small", "breaks") == "breakpoint 1: min(z) < 0.5"
    assert session.cursor == Cursor("small")


def test_watches_are_made_and_removed(session: Session, alone: Session) -> None:
    assert said(alone, "watch f[0]") == "watch 1: f[0] = 0.5 at t=0"
    assert said(alone, "unwatch 1") == "removed watch 1: f[0]"
    assert said(session, "watch z[0]").startswith("watch 1: z[0]; it has no value here: z is not there")
    assert not run(session, "watch y").ok
    assert len(session.watches) == 1


@pytest.mark.parametrize(
    ("line", "request_", "text"),
    [
        ("note Look at f.", Note("Look at f."), "Look at f."),
        ("note {braces} %s", Note("{braces} %s"), "{braces} %s"),
        ("pause 0.5", Pause(0.5), "pause of 0.5 s"),
        ("screenshot a.svg", Screenshot("a.svg"), "screenshot to a.svg"),
        ("export a.csv", Export("a.csv"), "export to a.csv"),
        ("quit", Quit(), "quit"),
    ],
)
def test_what_only_a_front_end_can_do_is_asked_of_it(
    alone: Session, line: str, request_: Request, text: str
) -> None:
    outcome = run(alone, line)
    assert (outcome.ok, outcome.request, outcome.text) == (True, request_, text)
    assert alone.cursor == Cursor("alone")


class Recorder:
    """WhatIfs that only note what they are asked."""

    edits, losses = (), {}

    def __init__(self) -> None:
        self.asked: list[object] = []

    def set(self, cursor: Cursor, change: Change) -> str:
        if change.quantity == "h":
            raise UserError("h\x1b cannot be changed")
        self.asked.append(change)
        return f"what-if 1: {change}"

    def unset(self, number: int | None) -> str:
        self.asked.append(("unset", number))
        return "taken back"

    def reset(self) -> str:
        self.asked.append("reset")
        return "the baseline"

    def loss(self, cursor: Cursor, t: int, name: str | None, unit: int | None) -> str:
        self.asked.append(("loss", t, name, unit))
        return "gradients of h"


def test_what_ifs_go_to_whoever_can_run_the_models(alone: Session) -> None:
    alone.what_ifs = what_ifs = Recorder()
    assert said(alone, "set f[2] = 1 from 1 to 4") == "what-if 1: f[2] = 1 from 1 to 4"
    assert said(alone, "unset 1") == "taken back"
    lines = (
        "set c = -0.5",
        "unset",
        "reset",
        "loss at 3 unit 1",
        "loss at 2",
    )
    assert all(run(alone, line).ok for line in lines)
    assert what_ifs.asked == [
        Change("f", 2, 1.0, 1, 4),
        ("unset", 1),
        Change("c", None, -0.5, None, None),
        ("unset", None),
        "reset",
        ("loss", 3, None, 1),
        ("loss", 2, None, None),
    ]
    refused = run(alone, "set h[0] = 1")
    assert (refused.ok, refused.text) == (False, "h␛ cannot be changed")


def test_base_is_the_run_without_what_ifs(alone: Session) -> None:
    assert said(alone, "print base(f[0]) == f[0]") == "base(f[0]) == f[0] = true at t=0"
    recorded = alone.trace
    f = recorded.values("f") * np.float32(0.5)
    alone.traces["alone"] = Trace(recorded.header, {**recorded.arrays, "0/forward/f": f})
    alone.what_ifs = SimpleNamespace(runs={"alone": recorded}, edits=(), losses={})
    assert said(alone, "print base(f[0])") == "base(f[0]) = 0.25 at t=0"
    assert said(alone, "break when base(f[0]) < 0.1", "c").startswith("breakpoint 1: base(f[0]) < 0.1 at t=2")
    assert said(alone, "watch base(f[0])").startswith("watch 1: base(f[0]) = 0.0625")


def test_a_models_name_is_never_sent_to_the_terminal_as_it_is() -> None:
    session = Session(Traces({"a": synthetic(name="a"), "b\x1b[2J": synthetic(name="b")}))
    assert said(session, "model \x1b") == "model ␛: the models are: a, b␛[2J"
    outcome = run(session, "model b\x1b[2J")
    assert outcome.stop is not None
    assert outcome.text == outcome.stop.text == "model b␛[2J"
    assert session.cursor.model == "b\x1b[2J"
    assert said(session, "print t") == "t = 0 at t=0, model b␛[2J"


def test_why_says_what_a_number_is_made_of_and_shows_it() -> None:
    session = Session(recorded_lstm())
    run(session, "goto 6")
    outcome = run(session, "why c[1]")
    assert outcome.ok
    assert outcome.ledger is not None
    assert outcome.request == ShowWhy(outcome.ledger)
    assert outcome.value == session.trace.values("c")[6, 0, 1]
    assert outcome.text.startswith("c[1] at t=6 is ")
    assert "written at t=6 (" in outcome.text
    assert run(session, "why").text == run(session, "why c").text.replace("c[1]", "c[0]")
    assert run(session, "why loss").text.startswith("loss is ")


def test_why_of_a_hidden_number_is_refused() -> None:
    session = Session(recorded_lstm())
    run(session, "hide c")
    for line in ("why c", "why h[1]", "why written c"):
        outcome = run(session, line)
        assert (outcome.ok, outcome.text) == (False, "c is hidden; `reveal` shows everything again")
    assert run(session, "why f").ok


def recorded_lstm() -> Trace:
    torch.manual_seed(0)
    return record(nn.LSTM(2, 3, dtype=torch.float64), torch.randn(8, 1, 2, dtype=torch.float64))


def rerunnable_lstm() -> Session:
    torch.manual_seed(0)
    trace = record(nn.LSTM(2, 3, dtype=torch.float64), torch.randn(8, 1, 2, dtype=torch.float64))
    return Session(trace, RerunEngine())


def test_what_a_timestep_wrote_is_undone_and_what_comes_of_it_is_said() -> None:
    session = rerunnable_lstm()
    run(session, "goto 6")
    ledger = run(session, "why c[1]").ledger
    assert ledger is not None
    part = ledger.parts[0]
    f, c = session.trace.values("f"), session.trace.values("c")
    kept = f[part.t, 0, 1] * c[part.t - 1, 0, 1]
    outcome = run(session, "ablate c[1]")
    assert outcome.text.startswith(f"without written at t={part.t}: what-if 1: c[1] = ")
    assert session.trace.values("c")[part.t, 0, 1] == pytest.approx(kept, rel=1e-14)
    now = session.trace.values("c")[6, 0, 1]
    was, alone = ledger.value, ledger.total - part.value
    assert f"c[1] at t=6 is {plain(now)}, was {plain(was)}" in outcome.text
    assert outcome.text.endswith(f"with everything else as it was it would be {plain(alone)}")


def test_an_input_of_a_gate_is_set_to_zero() -> None:
    session = rerunnable_lstm()
    run(session, "goto 6")
    ledger = run(session, "why i[1]").ledger
    assert ledger is not None
    number, part = next((n, p) for n, p in enumerate(ledger.parts, 1) if "x[" in p.text)
    assert run(session, f"ablate i[1] part {number}").ok
    assert part.leads_to is not None
    assert session.trace.values("x")[6, 0, part.leads_to.unit] == 0
    i = session.trace.values("i_pre")[6, 0, 1]
    assert i == pytest.approx(ledger.total - part.value, rel=1e-13)


def test_what_is_no_multiple_of_what_it_leads_to_is_not_taken_out() -> None:
    torch.manual_seed(0)
    session = Session(record(Recurrent("mingru", 2, 3), torch.randn(5, 1, 2)), RerunEngine())
    outcome = run(session, "ablate n[1]")
    assert not outcome.ok
    assert outcome.text == "max(n_pre + 0.5, σ(n_pre)) cannot be taken out of n[1]: ask about it first"


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("ablate h[1]", "o cannot be taken out of h[1]: ask about it first"),
        ("ablate routes dc", "routes dc[0]: only what the model computes can be taken out, no derivative"),
        ("ablate loss", "loss: only what the model computes can be taken out, no derivative"),
        ("ablate c part 99", "there is no part 99: of c[0] 7 are listed"),
    ],
)
def test_what_cannot_be_taken_out_is_refused(line: str, text: str) -> None:
    session = rerunnable_lstm()
    run(session, "goto 6")
    outcome = run(session, line)
    assert not outcome.ok
    assert outcome.text == text


def test_why_without_a_name_is_about_the_equation_that_the_cursor_is_on() -> None:
    session = Session(recorded_lstm())
    run(session, "goto 6")
    for name in session.cell.stages:
        run(session, "into")
        assert run(session, "why").text.startswith(f"{name}[0] at t=6 is ")
    run(session, "out")
    assert run(session, "why").text.startswith(f"{session.cell.memory}[0] at t=6 is ")

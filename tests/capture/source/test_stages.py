"""The line that is shown for a name is the one that ran in the timestep, whichever branch that was in."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import lstmtui
from lstmtui.analysis.first_bad.answer import first_bad_of
from lstmtui.analysis.source_at import source_at
from lstmtui.session import Session
from lstmtui.trace.source import Source

T = 6


def gate(v: Tensor) -> Tensor:
    return torch.sigmoid(v)


class Branches(nn.Module):
    """A name that one line binds in some timesteps, a function in others, and a name of one timestep."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.reads = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = x.new_zeros(x.shape[1], 3)
        for t in range(len(x)):
            a = self.reads(x[t]) + h
            if t % 3 == 1:
                size = a.abs() + self.floor
                c = torch.sqrt(size)
            else:
                c = gate(a)
            h = c + 0.1 * h
            if t == 4:
                late = 2 * h
                h = late
        return h

    floor = 0.0


GATE, FORWARD = gate.__code__.co_firstlineno + 1, Branches.forward.__code__.co_firstlineno
A, SIZE, ROOT, CALL, H, LATE = (FORWARD + line for line in (3, 5, 6, 8, 9, 11))


@pytest.fixture(scope="module")
def trace() -> lstmtui.Trace:
    return lstmtui.record(Branches(), torch.randn(T, 2, 3), loss=torch.sum, name="m")


def source_of(trace: lstmtui.Trace) -> Source:
    source = trace.layers[0].source
    assert source is not None
    return source


def test_into_comes_to_the_lines_that_ran_and_to_no_others(trace: lstmtui.Trace) -> None:
    session, stages, lines = Session(trace), source_of(trace).stages, list[list[int]]()
    while session.into().kind == "into":
        assert session.cursor.stage is not None
        line = stages[session.cursor.stage].line
        if stages[session.cursor.stage].variable != "x":
            lines += [[]] * (session.cursor.t + 1 - len(lines))
            lines[-1] = [*lines[-1], line]
    root, called = [A, SIZE, ROOT, H], [A, 0, GATE, CALL, H]
    assert lines == [called, root, called, called, [*root, LATE, LATE + 1], called]


def test_out_of_a_function_goes_to_the_line_that_called_it(trace: lstmtui.Trace) -> None:
    session = Session(trace)
    session.goto(3)
    while f":{GATE}," not in session.into().text:
        pass
    assert f"c (test_stages.py:{CALL}, " in session.out().text


def test_the_value_stands_at_the_line_that_ran_and_the_other_is_not_bound(trace: lstmtui.Trace) -> None:
    session = Session(trace)
    for t in range(T):
        session.goto(t)
        code = source_at(session.view)
        assert code is not None
        at = {line.number: line.bindings for line in code.functions[0].lines}
        now = {line: at[line][0].now for line in (ROOT, CALL)}
        here, other = (ROOT, CALL) if t % 3 == 1 else (CALL, ROOT)
        assert now[here].value == trace.values("c")[t, 0, 0]
        assert now[other].status == "not bound"


def test_why_names_the_line_that_computed_a_name_and_what_its_arguments_were(trace: lstmtui.Trace) -> None:
    assert f":{ROOT}  c = torch.sqrt" in trace.why("c", 1).equation
    assert f":{GATE}  return torch.sigmoid(v)" in trace.why("c", 2).equation
    assert [part.text for part in trace.why("h", 1).parts][:1] == [f"c[0] (line {ROOT})"]
    (argument,) = trace.why("c", 2).parts
    assert argument.value == trace.values("a")[2, 0, 0]
    assert argument.leads_to is not None
    assert trace.why(argument.leads_to.quantity, 2).asked.quantity == "a"
    assert [part.text for part in trace.why("dsize", 1).parts] == [f"dc[0] (line {ROOT})"]
    assert [part.text for part in trace.why("dv", 2).parts] == [f"dc[0] (line {GATE})"]
    with pytest.raises(lstmtui.UserError, match="the round t=1 does not bind it"):
        trace.why("dv", 1)


@pytest.mark.parametrize(("t", "line"), [(1, ROOT), (2, GATE)])
def test_the_first_bad_value_is_of_the_line_that_ran(t: int, line: int) -> None:
    model, x = Branches(), torch.randn(T, 2, 3)
    model.floor = -1e9 if t == 1 else 0.0
    x[2, 0] = float("nan") if t == 2 else 0.0
    bad = first_bad_of(lstmtui.record(model, x, loss=torch.sum))
    assert bad is not None
    assert bad.t == t
    if t == 1:
        assert f":{line}: c = torch.sqrt" in bad.where
    else:
        assert bad.quantity == "x"


def test_a_saved_trace_has_the_same_lines(trace: lstmtui.Trace, tmp_path: object) -> None:
    trace.save(f"{tmp_path}/run.trace")
    loaded = lstmtui.load(f"{tmp_path}/run.trace")
    assert isinstance(loaded, lstmtui.Trace)
    assert source_of(loaded) == source_of(trace)


class Alike(nn.Module):
    """Every timestep runs the same lines, and inner steps that get more."""

    def forward(self, x: Tensor) -> Tensor:
        h = x.new_zeros(x.shape[1], 3)
        for t, x_t in enumerate(x):
            for _ in range(t + 1):
                k = torch.tanh(h + x_t)
            h = h + k
        return h


def test_into_comes_to_as_many_inner_steps_as_the_timestep_has() -> None:
    trace = lstmtui.record(Alike(), torch.randn(T, 2, 3, requires_grad=True))
    session, stages, counts = Session(trace), source_of(trace).stages, [0] * T
    while session.into().kind == "into":
        assert session.cursor.stage is not None
        counts[session.cursor.t] += stages[session.cursor.stage].variable == "k"
    assert counts == [*range(1, T + 1)]


class Merged(nn.Module):
    """Branches of which some timesteps take one, some the other, some both; a function is called in each."""

    def forward(self, x: Tensor) -> Tensor:
        h = x.new_zeros(x.shape[1], 3)
        for t, v in enumerate(x):
            if t % 3:
                a = gate(v)
                h = h + a
            if t % 2:
                b = gate(h)
                h = h - b
                h = gate(h)
        return h


def test_stages_of_branches_that_only_some_timesteps_take_together_are_in_the_order_of_their_lines() -> None:
    trace = lstmtui.record(Merged(), torch.randn(T, 2, 3, requires_grad=True))
    first = Merged.forward.__code__.co_firstlineno
    session, stages, lines = Session(trace), source_of(trace).stages, [list[int]() for _ in range(T)]
    while session.into().kind == "into":
        assert session.cursor.stage is not None
        stage = stages[session.cursor.stage]
        if stage.depth == 0 and stage.line > first + 2:
            lines[session.cursor.t].append(stage.line - first)
    assert lines == [[], [4, 5, 7, 8, 9], [4, 5], [7, 8, 9], [4, 5], [4, 5, 7, 8, 9]]


class Either(nn.Module):
    """A name that a condition binds before another line in some timesteps, and behind it in others."""

    def forward(self, x: Tensor) -> Tensor:
        h = x.new_zeros(x.shape[1], 3)
        for t, v in enumerate(x):
            if t % 2:
                h = h + v
            h = torch.sin(h)
            if not t % 2:
                h = h - v
        return h


def test_what_every_line_has_bound_is_kept_whichever_was_the_last_of_a_timestep() -> None:
    x = torch.randn(T, 1, 3, requires_grad=True)
    trace = lstmtui.record(Either(), x)
    bound, h = list[set[float]](), torch.zeros(1, 3)
    for t, v in enumerate(x.detach()):
        first = h + v if t % 2 else h
        middle = torch.sin(first)
        last = middle if t % 2 else middle - v
        bound.append({float(own[0, 0]) for own in ([first, middle] if t % 2 else [middle, last])})
        h = last
    names = [name for name in trace.quantities(0) if name.startswith("h")]
    for t in range(T):
        assert {float(trace.values(name)[t, 0, 0]) for name in names} == bound[t]

"""The first NaN or inf: found where it was put, and explained by what made it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from synthetic import synthetic
from torch import nn

import lstmtui
from lstmtui.analysis.first_bad.answer import FirstBad, first_bad, first_bad_of
from lstmtui.analysis.first_bad.values import first_bad_timestep, first_bad_value
from lstmtui.errors import UserError
from lstmtui.session import Session, parse_line, parse_script
from lstmtui.session.execute import execute
from lstmtui.trace import Trace
from lstmtui.view import View

CELLS = ("rnn_tanh", "rnn_relu", "lstm", "lstm_peephole", "lstm_coupled", "gru", "gru_reset_before")


def spoilt(trace: Trace, *spots: tuple[str, tuple[int, ...], float]) -> Trace:
    """The trace with other values in it: (key, index, value)."""
    arrays = {key: np.array(array) for key, array in trace.arrays.items()}
    for key, at, value in spots:
        arrays[key][at] = value
    return Trace(trace.header, arrays)


def found(trace: Trace, which: str = "forward") -> FirstBad:
    bad = first_bad_of(trace, which)
    assert bad is not None
    return bad


def place(bad: FirstBad) -> tuple[object, ...]:
    return bad.layer, bad.direction, bad.t, bad.quantity, bad.unit, bad.batch


@pytest.mark.parametrize("cell", CELLS)
def test_a_healthy_run_has_none_in_either_pass(cell: str) -> None:
    torch.manual_seed(0)
    layer = lstmtui.Recurrent(cell, 2, 3, num_layers=2, bidirectional=True)
    trace = lstmtui.record(layer, torch.randn(5, 2, 2))
    assert first_bad_of(trace) is None
    assert first_bad_of(trace, "backward") is None
    assert first_bad_timestep(trace, 1) == -1


def test_a_loss_is_bad_only_where_it_is_known() -> None:
    trace = synthetic(loss=float("nan"))
    assert first_bad_of(trace) is not None
    assert first_bad_of(Trace(replace(trace.header, loss_is_known=False), trace.arrays)) is None


def test_first_bad_goes_to_another_model_where_the_selected_one_is_healthy() -> None:
    traces = {name: synthetic("gru", name=name, batch=2) for name in "ABC"}
    for name, t in (("B", 7), ("C", 3)):
        traces[name] = spoilt(traces[name], ("0/forward/r", (t, 1, 2), float("nan")))
    session = Session(traces)
    text = execute(session, parse_line("first-bad")).text
    assert text.startswith("B: NaN first appears in layer 0 forward at t=7: r[2] of sequence 1")
    assert (session.cursor.model, session.cursor.t, session.cursor.batch) == ("B", 7, 1)
    session.select_model("C")
    execute(session, parse_line("first-bad"))
    assert (session.cursor.model, session.cursor.t) == ("C", 3)


def test_the_order_is_layer_direction_time_then_the_equations() -> None:
    trace = synthetic("lstm", 300, 4, layers=2, bidirectional=True, batch=3)
    nan = float("nan")
    spots = [
        ("1/forward/h", (0, 0, 0), nan),
        ("0/backward/c", (299, 2, 1), nan),
        ("0/forward/f", (200, 0, 3), nan),
        ("0/forward/c", (150, 1, 2), np.inf),
        ("0/forward/c", (150, 2, 1), nan),
        ("0/forward/h", (150, 0, 0), nan),
    ]
    seen = []
    while spots:
        bad = first_bad_value(spoilt(trace, *spots))
        assert bad is not None
        seen.append((bad.layer, bad.direction, bad.t, bad.quantity, bad.unit, bad.batch))
        key = f"{bad.layer}/{bad.direction}/{bad.quantity}"
        spots = [s for s in spots if (s[0], s[1]) != (key, (bad.t, bad.batch, bad.unit))]
    assert seen == [
        (0, "forward", 150, "c", 1, 2),
        (0, "forward", 150, "c", 2, 1),
        (0, "forward", 150, "h", 0, 0),
        (0, "forward", 200, "f", 3, 0),
        (0, "backward", 299, "c", 1, 2),
        (1, "forward", 0, "h", 0, 0),
    ]


def test_the_backward_direction_is_walked_from_the_end() -> None:
    trace = synthetic("gru", 40, 3, bidirectional=True)
    spots = [("0/backward/r", (at, 0, 0), np.nan) for at in (3, 30)]
    assert found(spoilt(trace, *spots)).t == 30


def test_derivatives_are_walked_against_time_and_against_the_equations() -> None:
    trace = synthetic("lstm", 40, 3, layers=2)
    spots = [
        ("0/forward/dc", (39, 0, 0), np.nan),
        ("1/forward/df_pre", (20, 0, 1), np.nan),
        ("1/forward/do", (20, 0, 2), np.nan),
        ("1/forward/dh", (10, 0, 0), np.nan),
    ]
    assert place(found(spoilt(trace, *spots), "backward")) == (1, "forward", 20, "do", 2, 0)
    assert place(found(spoilt(trace, *spots[:2]), "backward"))[3] == "df_pre"


def test_past_the_end_of_a_shorter_sequence_nothing_counts() -> None:
    trace = synthetic("gru", 10, 3, batch=2, lengths=(10, 4))
    late = spoilt(trace, ("0/forward/h", (4, 1, 0), np.nan))
    assert first_bad_of(late) is None
    both = spoilt(trace, ("0/forward/h", (4, 1, 0), np.nan), ("0/forward/h", (6, 0, 2), np.inf))
    assert place(found(both)) == (0, "forward", 6, "h", 2, 0)


def test_a_bad_input_is_said_to_be_the_input() -> None:
    x = torch.randn(9, 3, 2, generator=torch.manual_seed(1))
    x[5, 1, 1] = float("nan")
    bad = found(lstmtui.record(nn.LSTM(2, 4, 2), x))
    assert place(bad) == (0, "forward", 5, "x", 1, 1)
    assert "it is what the layer was given" in str(bad)


def test_an_infinite_input_is_named_though_every_gate_saturates() -> None:
    x = torch.zeros(9, 1, 2)
    x[4, 0, 0] = float("inf")
    trace = lstmtui.record(lstmtui.Recurrent("gru", 2, 3), x)
    assert place(found(trace))[2:5] == (4, "x", 0)
    gradient = found(trace, "backward")
    assert gradient.layer is None
    assert str(gradient).startswith("the gradient of weight_ih_l0[0, 0] is NaN")


def test_a_bad_parameter_is_named_first_with_its_row_and_column() -> None:
    module = nn.LSTM(2, 4)
    with torch.no_grad():
        module.weight_hh_l0[3, 2] = float("inf")
    bad = found(lstmtui.record(module, torch.randn(6, 1, 2, generator=torch.manual_seed(0))))
    assert str(bad).startswith("weight_hh_l0[3, 2] is +inf before anything is computed; NaN first appears")
    assert place(bad) == (0, "forward", 0, "i_pre", 3, 0)
    assert "i_pre[3] = W_i·x + R_i·h₋₁ + b_i = " in bad.how
    assert "R_i[3, 2] is +inf" in bad.how


def test_a_bad_initial_state_comes_before_the_first_timestep() -> None:
    hx = torch.zeros(2, 3, 4)
    hx[1, 2, 1] = float("nan")
    trace = lstmtui.record(nn.GRU(2, 4, bidirectional=True), torch.zeros(5, 3, 2), hx=hx)
    assert place(found(trace)) == (0, "backward", -1, "h", 1, 2)
    assert [first_bad_timestep(trace, b) for b in range(3)] == [-1, -1, 4]


def test_overflow_of_finite_operands_names_the_dtype() -> None:
    module = nn.RNN(2, 4, nonlinearity="relu")
    with torch.no_grad():
        module.weight_hh_l0.fill_(1e6)
        module.weight_ih_l0.fill_(1.0)
    trace = lstmtui.record(module, torch.ones(20, 1, 2))
    bad = found(trace)
    assert bad.quantity == "h_pre"
    assert bad.value == np.inf
    assert "every operand is finite: it is " in bad.how
    assert "float32 ends at 3.40e38" in bad.how
    backward = found(trace, "backward")
    assert backward.quantity.startswith("d")
    assert backward.how


def test_a_derivative_names_the_factor_that_spoilt_it() -> None:
    trace = lstmtui.record(nn.LSTM(2, 3), torch.randn(6, 1, 2, generator=torch.manual_seed(0)))
    t4 = spoilt(trace, ("0/forward/dg", (4, 0, 1), np.inf), ("0/forward/i", (4, 0, 1), np.inf))
    bad = found(t4, "backward")
    assert place(bad) == (0, "forward", 4, "dg", 1, 0)
    assert bad.how.startswith("dg₄[1] comes by dc₄·i = ")
    assert bad.how.endswith("where i is +inf")


def test_a_derivative_through_the_recurrence_names_the_later_timestep() -> None:
    trace = lstmtui.record(nn.LSTM(2, 3), torch.randn(6, 1, 2, generator=torch.manual_seed(0)))
    f5 = spoilt(trace, ("0/forward/dc", (4, 0, 1), np.nan), ("0/forward/f", (5, 0, 1), np.nan))
    assert "dc₅·f = " in found(f5, "backward").how


def test_after_a_step_of_an_optimizer_nothing_is_said_of_parameters_that_are_not_kept() -> None:
    layer, state = nn.LSTM(2, 3), None
    optimizer = torch.optim.SGD(layer.parameters(), 0.1)
    x = torch.randn(6, 1, 2, generator=torch.manual_seed(0))
    with lstmtui.recording() as block:
        for chunk in (x[:3], x[3:]):
            h, state = layer(chunk, None if state is None else tuple(s.detach() for s in state))
            h.sum().backward()
            optimizer.step()
    trace, nan = block.trace, float("nan")
    missing = "changed at t=3, and only those from before are kept"
    bad = found(spoilt(trace, ("0/forward/f_pre", (4, 0, 1), nan)))
    assert bad.how == f"f_pre[1] = W_f·x + R_f·h₃ + b_f; its parameters {missing}"
    bad = found(spoilt(trace, ("0/forward/dh", (3, 0, 1), nan)), "backward")
    known = "the routes that are known are finite; others go through parameters that"
    assert bad.how == f"{known} {missing}"
    assert "dc₅·f" in found(spoilt(trace, ("0/forward/dc", (4, 0, 1), nan)), "backward").how


def test_what_the_loss_gives_back_is_told_from_the_recurrence() -> None:
    x = torch.randn(6, 1, 2, generator=torch.manual_seed(0))

    def rooted(result: tuple[torch.Tensor, object]) -> torch.Tensor:
        h = result[0]
        return (h - h.detach()).abs().sqrt().sum()

    bad = found(lstmtui.record(nn.GRU(2, 3), x, loss=rooted), "backward")
    assert (bad.layer, bad.quantity) == (None, "dy")
    assert "the loss is finite, and its derivative by the output is not" in str(bad)


@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_can_say_how_each_of_its_quantities_turned_bad(cell: str) -> None:
    layer = lstmtui.Recurrent(cell, 2, 3, bidirectional=True, proj_size=2 if "lstm" in cell else 0)
    trace = lstmtui.record(layer, torch.randn(4, 1, 2, generator=torch.manual_seed(0)))
    for quantity in trace.cell().quantities:
        for name, which in ((quantity, "forward"), ("d" + quantity, "backward")):
            for direction in ("forward", "backward"):
                bad = found(spoilt(trace, (f"0/{direction}/{name}", (2, 0, 1), np.nan)), which)
                assert place(bad) == (0, direction, 2, name, 1, 0)
                assert quantity in bad.how
                assert "every operand is finite" in bad.how or "by what comes from above" in bad.how


def test_a_bad_loss_is_told_where_every_value_is_finite() -> None:
    trace = synthetic(loss=float("inf"))
    assert str(found(trace)) == "loss is +inf; every recorded value is finite"
    assert first_bad_of(Trace(replace(trace.header, absent="no gradients"), trace.arrays)) is None


def test_a_long_run_is_read_until_the_first_bad_value_and_only_once(monkeypatch) -> None:
    trace = synthetic("gru", 20_000, 8)
    bad = spoilt(trace, ("0/forward/n", (12_345, 0, 7), np.nan))
    assert place(found(bad))[2:5] == (12_345, "n", 7)
    monkeypatch.setattr("lstmtui.analysis.first_bad.values._search", None)
    assert first_bad_value(bad) is not None


def test_the_verb_moves_the_cursor_there_and_says_why() -> None:
    trace = synthetic("lstm", 30, 4, layers=2, bidirectional=True, batch=3)
    session = Session(spoilt(trace, ("1/backward/i", (17, 2, 3), np.nan)))
    command = parse_line("first-bad")
    assert command is not None
    outcome = execute(session, command)
    cursor = session.cursor
    assert outcome.ok
    assert outcome.text.startswith("NaN first appears in layer 1 backward at t=17: i[3]")
    assert (cursor.layer, cursor.direction, cursor.t, cursor.unit, cursor.batch) == (1, "backward", 17, 3, 2)
    back = parse_line("first-bad backward")
    assert back is not None
    assert execute(session, back).text == "every number of the backward pass is finite"
    assert session.cursor == cursor


def test_an_expression_knows_the_timestep_for_the_selected_sequence() -> None:
    trace = synthetic("gru", 30, 4, batch=2)
    session = Session(spoilt(trace, ("0/forward/h", (17, 1, 3), np.nan)))
    script = """
    expect firstbad < 0
    batch 1
    expect firstbad == 17
    break when t == firstbad
    continue
    expect t == 17 and any(isnan(h))
    """
    outcomes = [execute(session, command) for command in parse_script(script)]
    assert all(outcome.ok for outcome in outcomes), [outcome.text for outcome in outcomes]


def test_there_are_two_passes() -> None:
    with pytest.raises(UserError, match="forward and backward"):
        first_bad(View.of(synthetic()), "sideways")

"""Weights and biases in expressions, by the symbols of the equations."""

from __future__ import annotations

import numpy as np
import pytest
from oracles.recurrents import noise, random_recurrent
from synthetic import synthetic

from lstmtui.capture.record import record
from lstmtui.cells import CELLS
from lstmtui.expressions import Expression, ExpressionError
from lstmtui.expressions.scope import TraceScope
from lstmtui.session import Session
from lstmtui.session.completion import complete
from lstmtui.session.execute import execute
from lstmtui.session.parse import parse_line

LINEAR = [
    (name, gate)
    for name, cell in CELLS.items()
    for gate in ("i", "f", "o", "z", "r", "h", "g")
    if name not in ("lstm_layernorm", "gru_reset_before")
    and gate + "_pre" in cell.quantities
    and {"W_" + gate, "R_" + gate} <= set(cell.blocks)
    and not cell.peepholes
]
"""Cells, and gates whose value before squashing is W·x + R·h + b."""


@pytest.mark.parametrize(("cell", "gate"), LINEAR)
def test_the_numbers_are_those_the_equations_read(cell: str, gate: str) -> None:
    trace = record(random_recurrent(cell, num_layers=2, bidirectional=True), noise(4, 2, 3, seed=1).double())
    scope = TraceScope(trace, 1, "backward", 1)
    text = f"sum(W_{gate}[1] * x) + sum(R_{gate}[1] * prev(h)) + b_{gate}[1] - {gate}_pre[1]"
    for t in range(4):
        assert Expression(text).evaluate(scope, t) == pytest.approx(0, abs=1e-12)
    assert {"lstm", "gru", "slstm", "lstm_coupled"} <= {name for name, _ in LINEAR}


def test_rows_and_single_numbers_are_those_of_the_checkpoint() -> None:
    trace = record(random_recurrent("lstm"), noise(4, 1, 3, seed=1))
    scope, weights = TraceScope(trace, 0, "forward", 0), trace.parameters
    hidden = trace.layers[0].hidden_size

    def value(text: str) -> object:
        return Expression(text).evaluate(scope, 2)

    w, r = weights["weight_ih_l0"], weights["weight_hh_l0"]
    assert value("W_f[1]") == pytest.approx(w[hidden + 1])
    assert value("W_f[1][2]") == value(f"W_f[{1 - hidden}, 2]") == w[hidden + 1, 2]
    assert value("R_i[0, 1]") == r[0, 1]
    bias = weights["bias_ih_l0"] + weights["bias_hh_l0"].astype(float)
    assert value("b_o") == pytest.approx(bias[3 * hidden :])
    assert value("norm(R_g)") == pytest.approx(np.linalg.norm(r[2 * hidden : 3 * hidden].astype(float)))
    assert value("prev(W_f[1, 2]) - base(W_f[1, 2])") == 0
    assert value("R_f[0] > 0").tolist() == (r[hidden] > 0).tolist()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "wrong", "meant"),
    [
        ("W_z[0]", "W_z is not there; the parameters of the selected layer are W_i, W_f, W_g, W_o", "W_"),
        ("W_f[6]", "index 6: axis 0 of W_f has 0 to 5", ""),
        ("W_f[0, 1]", "index 1: axis 1 of W_f has 0 to 0", ""),
        ("R_f[0, -7]", "index -7: axis 1 of R_f has 0 to 5", ""),
        ("b_f[9]", "index 9: b_f has 0 to 5", ""),
        ("W_f[0] + h", "W_f[0] has 1 unit and h has 6 units", ""),
        ("R_f + h", "R_f has 36 units and h has 6 units", ""),
    ],
)
def test_what_is_not_there_is_said(text: str, wrong: str, meant: str) -> None:
    with pytest.raises(ExpressionError) as refusal:
        Expression(text).check(TraceScope(synthetic("lstm"), 0, "forward", 0))
    assert wrong in refusal.value.wrong
    assert meant in refusal.value.suggestion


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("W_f[0, 1, 2]", "W_f has 2 axes, not 3"),
        ("b_f[0, 1]", "b_f has one axis, not 2"),
        ("b_f[0][1]", "b_f[0] is one value; it has no units"),
        ("W_q[0]", "W_q is neither"),
    ],
)
def test_what_no_layer_has_is_no_expression(text: str, wrong: str) -> None:
    with pytest.raises(ExpressionError, match=r"W_|b_") as refusal:
        Expression(text)
    assert wrong in str(refusal.value)


def test_they_are_printed_completed_and_stopped_at() -> None:
    session = Session(synthetic("gru", hidden_size=2))
    weights = session.trace.parameters["weight_hh_l0"]

    def said(line: str) -> str:
        command = parse_line(line, vocabulary=session.vocabulary)
        assert command is not None
        return execute(session, command).text

    assert said("print R_z[1, 0]") == f"R_z[1, 0] = {float(weights[3, 0]):.6g} at t=0"
    assert said("break when R_z[1, 0] * prev(h)[0] > 9").startswith("breakpoint 1:")
    assert complete("print W_", session) == ["W_n", "W_r", "W_z"]
    assert "R_n" in complete("expect norm(R", session)
    assert said("expect bh_n[0] == bh_n[0]").startswith("bh_n[0] == bh_n[0] holds: bh_n[0] = ")


def test_a_layer_without_biases_has_none() -> None:
    trace = record(random_recurrent("lstm", bias=False), noise(3, 1, 3, seed=1))
    with pytest.raises(
        ExpressionError, match=r"b_f is not there; the parameters of the selected layer are W_i"
    ):
        Expression("b_f[0]").check(TraceScope(trace, 0, "forward", 0))

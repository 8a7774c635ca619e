"""Saturated and stuck: told of cells that were made so, and not of others."""

from __future__ import annotations

import numpy as np
import pytest
from made_runs import made, only, verdicts

from lstmtui.analysis.diagnosis import BAD, FINE, LOOK, NOT_MEASURED


def test_a_healthy_layer_is_quiet() -> None:
    for cell in ("rnn_tanh", "lstm", "lstm_peephole", "lstm_coupled", "gru", "gru_reset_before"):
        assert {v.severity for v in verdicts(made(cell)) if v.name in ("saturated", "stuck")} == {FINE}


def test_saturating_weights_are_bad_and_every_gate_is_told_apart() -> None:
    trace = made("lstm", weight_ih_l0=lambda w: w * 1e4)
    found = {v.quantity: v for v in verdicts(trace) if v.name == "saturated"}
    assert {q: found[q].severity for q in "iog"} == {"i": BAD, "o": BAD, "g": BAD}
    assert found["i"].number > 0.95
    assert found["i"].next == "watch mean(i)"


def test_the_share_is_of_all_timesteps_and_units() -> None:
    trace = made("lstm")
    trace.arrays["0/forward/i"][:10, 0, :] = 0.01
    trace.arrays["0/forward/i"][10:, 0, :] = 0.5
    verdict = only(trace, "saturated", "i")
    assert verdict.number == pytest.approx(10 / trace.steps)
    assert "below 0.05 in 25% and above 0.95 in 0%" in verdict.text


@pytest.mark.parametrize(("value", "severity"), [(0.99, FINE), (0.01, BAD)])
def test_an_open_forget_gate_remembers_and_a_closed_one_is_bad(value: float, severity: str) -> None:
    trace = made("lstm")
    trace.arrays["0/forward/f"][:] = value
    assert only(trace, "saturated", "f").severity == severity
    assert only(trace, "stuck", "f").severity == severity


@pytest.mark.parametrize(("value", "severity"), [(0.01, FINE), (0.99, BAD)])
def test_tied_gates_remember_with_a_closed_input_gate(value: float, severity: str) -> None:
    trace = made("lstm_coupled")
    trace.arrays["0/forward/i"][:] = value
    trace.arrays["0/forward/f"][:] = 1 - value
    verdict = only(trace, "saturated", "i")
    assert verdict.severity == severity
    assert verdict.text.endswith("; closed is how it remembers") == (severity == FINE)
    assert only(trace, "stuck", "i").severity == severity


def test_stuck_units_are_named() -> None:
    trace = made("gru")
    trace.arrays["0/forward/r"][:, :, [2, 5]] = 0.999
    trace.arrays["0/forward/r"][:, :, 4] = 0.001
    verdict = only(trace, "stuck", "r")
    assert (verdict.severity, verdict.units, verdict.next) == (LOOK, (2, 4, 5), "unit 2")
    assert "below 0.05 in 1 of 8 units (4) and above 0.95 in 2 of 8 units (2, 5)" in verdict.text


def test_a_unit_that_moves_once_is_not_stuck() -> None:
    trace = made("lstm")
    trace.arrays["0/forward/o"][:] = 0.999
    trace.arrays["0/forward/o"][7] = 0.5
    assert only(trace, "stuck", "o").severity == FINE


def test_padding_is_not_counted() -> None:
    trace = made("lstm", batch=2, lengths=[40, 20])
    assert not trace.arrays["0/forward/f"][20:, 1].any()
    low = only(trace, "saturated", "f")
    assert "below 0.05 in 0%" in low.text


def test_shorter_runs_than_ten_timesteps_are_not_measured() -> None:
    short = [v for v in verdicts(made("lstm", steps=9)) if v.name in ("saturated", "stuck", "drift")]
    assert {(v.name, v.severity) for v in short} == {
        (n, NOT_MEASURED) for n in ("saturated", "stuck", "drift")
    }
    assert all("9 timesteps" in v.text for v in short)
    assert np.isfinite(only(made("lstm", steps=10), "saturated", "i").number)

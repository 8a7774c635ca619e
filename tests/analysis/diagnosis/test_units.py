"""Units never written, never read, growing or dead."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from made_runs import made, only, verdicts

from lstmtui.analysis.diagnosis import BAD, FINE, LOOK

GATE = slice(0, 8)
"""The rows of i in an LSTM's parameters, which has i, f, g, o."""


def silenced(row: int, gate: int):
    """A change of a bias that closes one gate of one unit for good."""

    def change(bias: torch.Tensor) -> torch.Tensor:
        bias = bias.clone()
        bias[gate * 8 + row] = -50.0
        return bias

    return change


@pytest.mark.parametrize("cell", ["lstm", "lstm_peephole", "lstm_coupled", "gru", "gru_reset_before"])
def test_a_healthy_layer_is_quiet(cell: str) -> None:
    assert {v.severity for v in verdicts(made(cell)) if v.name in ("unwritten", "unread", "drift")} == {FINE}


def test_a_unit_whose_input_gate_is_shut_is_never_written() -> None:
    verdict = only(made("lstm", bias_ih_l0=silenced(3, gate=0)), "unwritten")
    assert (verdict.severity, verdict.units, verdict.next) == (LOOK, (3,), "unit 3")
    assert verdict.number == 1 / 8


def test_a_layer_that_nothing_is_written_to_is_bad() -> None:
    verdict = only(made("lstm", bias_ih_l0=lambda b: torch.full_like(b, -60.0)), "unwritten")
    assert (verdict.severity, verdict.number) == (BAD, 1.0)


def test_a_gru_unit_that_keeps_everything_is_never_written() -> None:
    trace = made("gru")
    trace.arrays["0/forward/z"][:, :, 6] = 1.0
    assert only(trace, "unwritten").units == (6,)


def test_a_unit_whose_output_gate_is_shut_is_never_read() -> None:
    verdict = only(made("lstm", bias_ih_l0=silenced(5, gate=3)), "unread")
    assert (verdict.severity, verdict.units) == (LOOK, (5,))


def test_a_unit_the_loss_does_not_see_is_never_read() -> None:
    def without_unit_2(result) -> torch.Tensor:
        kept = [unit for unit in range(8) if unit != 2]
        return (result[0][..., kept] ** 2).sum()

    def blind(weight: torch.Tensor) -> torch.Tensor:
        weight = weight.clone()
        weight[:, 2] = 0.0
        return weight

    verdict = only(made("rnn_tanh", loss=without_unit_2, weight_hh_l0=blind), "unread")
    assert (verdict.severity, verdict.units) == (LOOK, (2,))
    assert "|∂L/∂h|" in verdict.text
    assert "o stays" not in verdict.text


def test_a_unit_that_counts_without_forgetting_drifts() -> None:
    def counting(bias: torch.Tensor) -> torch.Tensor:
        bias = bias.clone()
        bias[[1, 9, 17]] = 50.0  # i, f and g of unit 1
        return bias

    trace = made("lstm", steps=60, bias_ih_l0=counting)
    verdict = only(trace, "drift")
    assert (verdict.severity, verdict.units) == (LOOK, (1,))
    assert "in unit 1 by 1 a timestep" in verdict.text
    assert verdict.next == "unit 1\nbreak when abs(c[1]) > 8"
    assert np.isclose(np.diff(trace.arrays["0/forward/c"][:, 0, 1]), 1.0).all()


def test_a_layer_that_only_counts_is_bad_and_time_runs_back_in_the_backward_direction() -> None:
    def counting(bias: torch.Tensor) -> torch.Tensor:
        return torch.where(torch.arange(32) < 24, 50.0, bias)

    changes = {"bias_ih_l0_reverse": counting}
    trace = made("lstm", steps=160, batch=2, lengths=[160, 150], bidirectional=True, **changes)
    assert only(trace, "drift", direction="backward").severity == BAD
    assert only(trace, "drift").severity == FINE


def test_a_large_cell_state_that_stays_is_no_drift() -> None:
    trace = made("lstm")
    trace.arrays["0/forward/c"][:] = 50.0
    assert only(trace, "drift").severity == FINE


@pytest.mark.parametrize(("dead", "severity"), [([], FINE), ([4], LOOK), ([0, 1, 2, 5], BAD)])
def test_dead_relu_units_are_counted(dead: list[int], severity: str) -> None:
    def killed(bias: torch.Tensor) -> torch.Tensor:
        bias = torch.ones_like(bias)
        bias[dead] = -1e6
        return bias

    verdict = only(made("rnn_relu", bias_ih_l0=killed), "dead")
    assert (verdict.severity, list(verdict.units)) == (severity, dead)

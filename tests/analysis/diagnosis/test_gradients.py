"""Vanishing and exploding gradients of recurrences whose factor is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from made_runs import made, only, verdicts
from torch import nn

import lstmtui
from lstmtui.analysis.diagnosis import BAD, FINE, LOOK, NOT_MEASURED, diagnose_trace
from lstmtui.analysis.fed_gradient import fed_gradient
from lstmtui.cells import CELLS
from lstmtui.session.parse import parse_script
from lstmtui.trace import Trace


def last(result) -> torch.Tensor:
    return result[0][-1].sum()


def factor(value: float):
    """R = value · 1: a linear recurrence multiplies the gradient by so much in each timestep."""
    return lambda weight: value * torch.eye(8)


def linear(value: float, steps: int = 41, loss=last):
    """A ReLU network whose units stay positive, so that only R acts on the gradient."""
    ones = {"weight_ih_l0": lambda w: 0 * w, "bias_ih_l0": lambda b: 0 * b + 1, "bias_hh_l0": lambda b: 0 * b}
    return made("rnn_relu", steps=steps, loss=loss, weight_hh_l0=factor(value), **ones)


@pytest.mark.parametrize(("value", "severity"), [(1.0, FINE), (0.9, FINE), (0.8, LOOK), (0.5, BAD)])
def test_what_is_left_after_forty_timesteps(value: float, severity: str) -> None:
    verdict = only(linear(value), "vanishing")
    assert verdict.severity == severity
    # 41 timesteps: the far tenth, t=0 to 3, begins 37 factors from the end.
    assert verdict.number == pytest.approx(value**37, rel=1e-4)


@pytest.mark.parametrize(("value", "severity"), [(1.0, FINE), (1.1, FINE), (1.15, LOOK), (1.5, BAD)])
def test_what_has_grown_after_forty_timesteps(value: float, severity: str) -> None:
    verdict = only(linear(value), "exploding")
    assert verdict.severity == severity
    assert verdict.number == pytest.approx(value**40, rel=1e-4)
    if severity != FINE:
        assert len(parse_script(verdict.next)) == 1


def test_the_distance_to_one_over_e_is_said() -> None:
    assert "from t=40 it falls to 1/e within 5 timesteps" in only(linear(0.8), "vanishing").text
    assert "never falls to 1/e" in only(linear(1.0), "vanishing").text


def test_a_loss_at_every_timestep_adds_up_and_is_no_explosion() -> None:
    changes = {
        "weight_hh_l0": lambda w: 0 * w,
        "bias_ih_l0": lambda b: b + 20 * (torch.arange(32) // 8 == 1),  # f = 1: nothing is forgotten
    }
    trace = made("lstm", steps=200, loss=lambda result: result[0].sum(), **changes)
    assert np.ptp(trace.norms("dc")) > 3
    verdict = only(trace, "exploding")
    assert verdict.number <= 1
    assert verdict.severity == FINE


def test_a_loss_in_the_middle_counts_from_there() -> None:
    trace = linear(0.95, loss=lambda result: result[0][20].sum())
    assert only(trace, "vanishing").severity == FINE
    assert "from t=20" in only(trace, "vanishing").text


def test_a_layer_the_loss_does_not_depend_on_is_bad() -> None:
    trace = made("gru", loss=lambda result: 0.0 * result[0].sum())
    verdict = only(trace, "vanishing")
    assert (verdict.severity, verdict.number) == (BAD, 0.0)


def test_the_worst_sequence_explodes_and_the_middle_one_vanishes() -> None:
    def at_different_times(result) -> torch.Tensor:
        h = result[0]
        return h[11, 0].sum() + h[-1, 1].sum() + h[-1, 2].sum()

    ones = {"weight_ih_l0": lambda w: 0 * w, "bias_ih_l0": lambda b: 0 * b + 1, "bias_hh_l0": lambda b: 0 * b}
    trace = made("rnn_relu", batch=3, steps=41, loss=at_different_times, weight_hh_l0=factor(1.3), **ones)
    verdict = only(trace, "exploding")
    assert verdict.number == pytest.approx(1.3**40, rel=1e-4)
    assert ("of sequence 1" in verdict.text, verdict.next.split("\n")[0]) == (True, "batch 1")
    shrunk = made("rnn_relu", batch=3, steps=41, loss=at_different_times, weight_hh_l0=factor(0.6), **ones)
    verdict = only(shrunk, "vanishing")
    assert (verdict.severity, verdict.number) == (
        LOOK,
        pytest.approx(0.6**37, rel=1e-3),
    ) or verdict.number < 1e-7


def test_a_short_way_is_not_measured_and_says_why() -> None:
    for name in ("vanishing", "exploding"):
        verdict = only(made("gru", steps=9), name)
        assert (verdict.severity, verdict.text.split(",")[0]) == (NOT_MEASURED, "9 timesteps")


def test_a_direction_that_has_seen_one_timestep_where_it_is_read_is_not_measured() -> None:
    trace = made("lstm", bidirectional=True, loss=last)
    assert only(trace, "vanishing").severity != NOT_MEASURED
    verdict = only(trace, "vanishing", direction="backward")
    assert verdict.severity == NOT_MEASURED
    assert "reads it at t=39, where this direction has seen 1 timestep" in verdict.text
    early = only(made("lstm", loss=lambda result: result[0][4].sum()), "vanishing")
    assert "reads it at t=4, where this direction has seen 5 timesteps" in early.text


def test_the_backward_direction_vanishes_from_where_it_is_read() -> None:
    trace = made("rnn_tanh", bidirectional=True, loss=lambda result: result[0][0].sum())
    verdict = only(trace, "vanishing", direction="backward")
    norms = trace.norms("dh", 0, "backward")[:, 0]
    assert verdict.number == pytest.approx(norms[-4:].max() / norms.max(), rel=1e-6)
    assert verdict.severity == BAD
    assert only(trace, "vanishing").severity == NOT_MEASURED


@pytest.mark.parametrize("steps", [28, 120])
@pytest.mark.parametrize("cell", [nn.LSTM, nn.GRU, nn.RNN])
def test_a_layer_fed_late_by_the_one_above_does_not_explode(cell: type[nn.RNNBase], steps: int) -> None:
    torch.manual_seed(steps)
    stack = cell(4, 16, 2, bidirectional=True)
    trace = lstmtui.record(stack, torch.randn(steps, 2, 4), loss=lambda r: r[0][-1].pow(2).sum())
    assert max(np.ptp(np.log(trace.norms("dh", 0, "backward")), axis=0)) > 10
    assert {v.severity for v in diagnose_trace(trace) if v.name == "exploding"} <= {FINE, NOT_MEASURED}


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_what_is_fed_from_above_is_what_the_loss_reads(cell: str, dtype: torch.dtype) -> None:
    torch.manual_seed(1)
    layer = lstmtui.Recurrent(cell, 3, 5, bidirectional=True).to(dtype)
    x, weights, lengths = (
        torch.randn(20, 3, 3, dtype=dtype),
        torch.randn(20, 3, 10, dtype=dtype),
        torch.tensor([20, 13, 7]),
    )
    weights[5:9] = 0
    trace = lstmtui.record(layer, x, loss=lambda r: (r[0] * weights).sum(), lengths=lengths)
    inside = torch.arange(20)[:, None] < lengths
    for direction, units in (("forward", slice(0, 5)), ("backward", slice(5, 10))):
        expected = (weights[..., units].norm(dim=-1) * inside).numpy()
        fed = fed_gradient(trace, 0, direction)
        np.testing.assert_allclose(fed, expected, rtol=1e-12 if dtype == torch.float64 else 1e-5)
        assert not fed[5:9].any()


def test_a_gradient_that_grows_until_it_is_no_number_explodes() -> None:
    verdict = only(linear(30.0), "exploding")
    assert (verdict.severity, verdict.number) == (BAD, np.inf)


def test_a_gradient_that_is_spoilt_without_growing_is_not_judged() -> None:
    def spoilt(result) -> torch.Tensor:
        return result[0][20:].sum() + torch.where(result[0][10] > -9, result[0][10] * torch.nan, 0.0).sum()

    found = {v.name: v for v in verdicts(made("rnn_tanh", loss=spoilt))}
    assert found["exploding"].severity == FINE
    assert found["vanishing"].severity == NOT_MEASURED
    assert found["nonfinite"].severity == BAD


def test_without_reads_growth_is_not_measured_and_the_way_begins_with_the_gradient() -> None:
    trace = made("gru", loss=last)
    bare = Trace(trace.header, {k: trace.arrays[k] for k in trace.arrays if not k.endswith("/reads")})
    assert only(bare, "exploding").severity == NOT_MEASURED
    assert only(bare, "vanishing").number == only(trace, "vanishing").number


@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_cell_state_that_the_loss_reads_is_fed_where_it_ends(bidirectional: bool) -> None:
    torch.manual_seed(2)
    layer = nn.LSTM(3, 5, bidirectional=bidirectional)
    lengths = torch.tensor([20, 13])
    trace = lstmtui.record(layer, torch.randn(20, 2, 3), loss=lambda r: r[1][1].sum(), lengths=lengths)
    for direction in trace.layers[0].directions:
        ends = (0, 0) if direction == "backward" else (19, 12)
        expected = np.zeros((20, 2))
        expected[ends, (0, 1)] = 5**0.5
        np.testing.assert_allclose(fed_gradient(trace, 0, direction), expected, rtol=1e-5)


@pytest.mark.parametrize(("offset", "severity"), [(-1.0, BAD), (0.1, LOOK), (0.5, BAD)])
def test_what_was_learned_without_it_is_worth_a_look(offset: float, severity: str) -> None:
    def loss(result) -> torch.Tensor:
        h = result[0][-1].sum()
        return h - h.detach() + offset

    assert only(linear(0.5, loss=loss), "vanishing").severity == severity


@pytest.mark.parametrize("read", [lambda out, h_n: out[-1], lambda out, h_n: h_n[-1]])
def test_a_small_weighted_sum_is_no_loss_that_was_learned(read: Callable[[Any, Any], torch.Tensor]) -> None:
    def weighted(result) -> torch.Tensor:
        h = read(*result)
        return (h * (0.1 / h.detach().sum())).sum()

    def squared(result) -> torch.Tensor:
        h = read(*result)
        return (h * (0.1 / h.detach().pow(2).sum()) ** 0.5).pow(2).sum()

    trace = linear(0.5, loss=weighted)
    assert trace.loss == pytest.approx(0.1, rel=1e-5)
    assert only(trace, "vanishing").severity == BAD
    assert only(linear(0.5, loss=squared), "vanishing").severity == LOOK


def test_a_layer_beside_one_that_carries_the_gradient_is_worth_a_look() -> None:
    torch.manual_seed(0)
    stack = nn.RNN(3, 8, 2, nonlinearity="relu")
    with torch.no_grad():
        for name, parameter in stack.named_parameters():
            if name.startswith("weight_hh"):
                parameter.copy_(torch.eye(8) * (1.0 if name.endswith("l0") else 0.1))
            elif name.startswith("weight"):
                parameter.copy_(parameter.abs())
            else:
                parameter.fill_(0.1)
    trace = lstmtui.record(stack, torch.rand(40, 1, 3), loss=lambda r: 100 * r[0][-1].sum())
    upper = next(v for v in diagnose_trace(trace) if v.name == "vanishing" and v.layer == 1)
    assert (upper.severity, upper.number < 1e-7) == (LOOK, True)
    assert "in layer 0 of the stack it reaches back" in upper.text

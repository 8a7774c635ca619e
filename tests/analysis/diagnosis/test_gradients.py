"""Vanishing and exploding gradients of recurrences whose factor is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from made_runs import made, only, verdicts
from synthetic import synthetic

from lstmtui.analysis.diagnosis import BAD, FINE, LOOK
from lstmtui.analysis.diagnosis.gradients import gradient_verdicts
from lstmtui.session.parse import parse_line
from lstmtui.trace import Trace
from lstmtui.trace.keys import NORMS, array_key


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


@pytest.mark.parametrize(("value", "severity"), [(1.0, FINE), (1.1, FINE), (1.2, LOOK), (1.5, BAD)])
def test_what_has_grown_after_forty_timesteps(value: float, severity: str) -> None:
    verdict = only(linear(value), "exploding")
    assert verdict.severity == severity
    assert verdict.number == pytest.approx(value**37, rel=1e-4)
    if severity != FINE:
        assert parse_line(verdict.next) is not None


def test_the_distance_to_one_over_e_is_said() -> None:
    assert "from t=40 it falls to 1/e within 5 timesteps" in only(linear(0.8), "vanishing").text
    assert "never falls to 1/e" in only(linear(1.0), "vanishing").text


def test_a_loss_at_every_timestep_adds_up_and_is_no_explosion() -> None:
    changes = {
        "weight_hh_l0": lambda w: 0 * w,
        "bias_ih_l0": lambda b: b + 20 * (torch.arange(32) // 8 == 1),  # f = 1: nothing is forgotten
    }
    trace = made("lstm", steps=200, loss=lambda result: result[0].sum(), **changes)
    verdict = only(trace, "exploding")
    assert verdict.number > 3
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
    trace = made("rnn_tanh", batch=3, loss=lambda result: result[0][-1].sum())
    norms = np.ones((40, 3))
    trace.arrays[NORMS + array_key("dh", 0, "forward")] = norms  # type: ignore[index]
    norms[:10, 0] = 1e-9  # one of three is not the middle
    norms[:10, 2] = 1e6
    assert only(trace, "vanishing").severity == FINE
    assert (only(trace, "exploding").severity, "(sequence 2)" in only(trace, "exploding").text) == (BAD, True)


def test_a_short_way_says_nothing() -> None:
    assert not [v for v in verdicts(made("gru", steps=9)) if v.name in ("vanishing", "exploding")]


@pytest.mark.parametrize("beyond", [np.nan, np.inf], ids=str)
def test_a_gradient_that_grows_until_it_is_no_number_explodes(beyond: float) -> None:
    trace = synthetic("rnn_tanh", 40, 3)
    grown = 2.0 ** np.arange(40)[::-1, None, None] * np.ones((40, 1, 3))
    grown[:10] = beyond
    found = {v.name: v for v in gradient_verdicts(Trace(trace.header, {"0/forward/dh": grown}), 0, "forward")}
    assert found["exploding"].severity == BAD
    assert "vanishing" not in found


def test_a_gradient_that_is_spoilt_without_growing_is_not_judged() -> None:
    trace = synthetic("rnn_tanh", 40, 3)
    level = np.ones((40, 1, 3))
    level[:10] = np.nan
    assert not list(gradient_verdicts(Trace(trace.header, {"0/forward/dh": level}), 0, "forward"))

"""How far memory and gradients reach."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from oracles.recurrents import noise, random_recurrent
from source_traces import source_trace
from synthetic import Array, synthetic

from lstmtui.analysis.reach import Reach, gradient_reach, half_lives
from lstmtui.capture.record import record
from lstmtui.trace import Trace
from lstmtui.view import View


def holding(cell: str, quantity: str, values: Array, direction: str = "forward", **options: object) -> View:
    """A view of a run whose quantity is `values` (T, units) in one direction."""
    steps, units = values.shape
    trace = synthetic(cell, steps, units, bidirectional=True, **options)  # type: ignore[arg-type]
    trace.arrays[f"0/{direction}/{quantity}"] = values[:, None]  # type: ignore[index]
    return View.of(trace, direction=direction)


@pytest.mark.parametrize(("cell", "gate"), [("lstm", "f"), ("lstm_coupled", "f"), ("gru", "z")])
def test_a_constant_gate_halves_memory_in_its_half_life(cell: str, gate: str) -> None:
    lives = half_lives(holding(cell, gate, np.tile([0.5, 0.25, 0.9, 1.0, 1.5, 0.0, -0.1, np.nan], (6, 1))))
    assert lives is not None
    assert lives[:2] == pytest.approx([1.0, 0.5])
    assert 0.9 ** lives[2] == pytest.approx(0.5)
    assert lives[3:6].tolist() == [np.inf, np.inf, 0.0]
    assert np.isnan(lives[6:]).all()


def test_the_half_life_is_that_of_the_mean_over_the_sequence_and_not_its_padding() -> None:
    values = np.array([[0.4], [0.6], [0.0], [0.0]])
    assert half_lives(holding("lstm", "f", values, lengths=(2,))) == pytest.approx([1.0])


def test_a_plain_rnn_keeps_nothing_by_a_gate() -> None:
    assert half_lives(View.of(synthetic("rnn_tanh"))) is None


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_the_gradient_reaches_back_against_the_direction_of_its_layer(cell: str, direction: str) -> None:
    state = "c" if cell == "lstm" else "h"
    back = np.array([0.1, 4.0, 3.0, 1.5, 1.4, 9e-9, 1.0])  # 4/e = 1.47
    values = back if direction == "backward" else back[::-1]
    view = holding(cell, "d" + state, values[:, None], direction)
    start = 1 if direction == "backward" else 5
    assert gradient_reach(view) == Reach(state, start, 3.0)


def test_a_gradient_that_never_falls_so_far_reaches_for_ever() -> None:
    view = holding("lstm", "dc", np.full((9, 2), 0.3))
    assert gradient_reach(view) == Reach("c", 8, math.inf)


def test_the_norm_is_over_units() -> None:
    values = np.array([[0, 0, 1], [0, 1, 5], [4, 1, 5], [4, 9, 5]], float)
    view = holding("lstm", "dc", values)
    assert gradient_reach(view) == Reach("c", 3, 3.0)  # 1, 5.1, 6.5, 11.0, and 11.0/e = 4.1


def test_no_gradient_and_one_that_is_not_finite_have_no_reach() -> None:
    values = np.zeros((5, 3))
    values[2, 1], values[2, 2] = np.nan, -np.inf
    view = holding("lstm", "dc", values)
    assert math.isnan(gradient_reach(view).steps)
    assert math.isnan(gradient_reach(holding("lstm", "dc", np.zeros((5, 3)))).steps)


def test_padding_is_no_gradient_that_has_gone() -> None:
    values = np.array([[1.0], [1.0], [0.0], [0.0]])
    view = holding("lstm", "dc", values, "backward", lengths=(2,))
    assert gradient_reach(view) == Reach("c", 0, math.inf)


def test_a_cell_that_only_forgets_loses_its_gradient_in_the_time_its_gate_says() -> None:
    module = random_recurrent("lstm")
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()
        module.get_parameter("bias_ih_l0")[4:8] = math.log(0.9 / 0.1)  # f = 0.9
    view = View.of(record(module, noise(80, 1, 3, seed=1)))
    lives, reach = half_lives(view), gradient_reach(view)
    assert lives == pytest.approx(np.full(4, math.log(0.5) / math.log(0.9)))
    assert reach == Reach("c", 79, math.ceil(-1 / math.log(0.9)))


def test_a_state_that_is_bound_now_and_then_holds_its_gradient_until_then() -> None:
    run = source_trace(steps=12)
    bound, every = np.arange(12) % 4 == 1, run.values("dnew_c")
    norms = np.where(bound, 0.9 ** np.arange(11, -1, -1.0), 0).astype(np.float32)
    arrays = {**run.arrays, "0/forward/bound/new_c": bound}
    arrays["0/forward/dnew_c"] = np.ones_like(every) * norms[:, None, None]
    assert gradient_reach(View.of(Trace(run.header, arrays)), "new_c") == Reach("new_c", 9, math.inf)
    arrays["0/forward/dnew_c"][5] *= 0.3
    assert gradient_reach(View.of(Trace(run.header, arrays)), "new_c") == Reach("new_c", 9, 1.0)

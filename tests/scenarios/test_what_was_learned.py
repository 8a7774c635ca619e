"""The trained models do what their scenarios say, on the sequence shown and on new ones."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from lstmtui.capture.run import build
from lstmtui.scenario import load_scenario
from lstmtui.scenario.tasks import TaskData, make_task
from lstmtui.trace import Trace, Traces

FOLDER = Path(__file__).parents[2] / "scenarios"
GATED = ("LSTM", "LSTM with peepholes", "coupled LSTM", "GRU")
PLAIN = ("rnn_tanh", "rnn_relu")

Recorded = Callable[[str], Traces]


def outputs(name: str, model: str, data: TaskData) -> np.ndarray:
    """y (T, B, 1) of a bundled model for new sequences."""
    scenario = load_scenario(FOLDER / f"{name}.toml")
    spec = next(spec for spec in scenario.models if spec.name == model)
    x = torch.as_tensor(data.tokens if data.values is None else data.values.astype(np.float32))
    with torch.no_grad():
        y: np.ndarray = build(spec, scenario.input)(x)[0].numpy()
    return y


def forecast_errors(trace: Trace) -> tuple[np.ndarray, np.ndarray]:
    """The squared errors of the network and of "as this month", in passengers, by month."""
    shift, scale = trace.arrays["shift"], trace.arrays["scale"]
    y, x = ((trace.values(q)[:, 0] * scale + shift)[:, 0] for q in ("y", "x"))
    return (y[:-1] - x[1:]) ** 2, (x[:-1] - x[1:]) ** 2


@pytest.mark.parametrize("model", ["LSTM", "GRU"])
def test_airline_beats_persistence_by_far_in_the_years_held_out_too(model: str, recorded: Recorded) -> None:
    ours, persistence = forecast_errors(recorded("airline")[model])
    assert ours.mean() < 0.1 * persistence.mean()
    assert ours[-24:].mean() < 0.2 * persistence[-24:].mean()


@pytest.mark.parametrize("model", ["LSTM", "GRU"])
def test_airline_notes_give_the_figures_of_the_weights(model: str, recorded: Recorded) -> None:
    trace = recorded("airline")[model]
    ours, _ = forecast_errors(trace)
    row = f"| {model} | {ours.mean() ** 0.5:.1f} | {ours[-24:].mean() ** 0.5:.1f} |"
    assert row in trace.header.notes


def test_the_breakpoint_of_the_first_five_minutes_is_hit_more_than_once(recorded: Recorded) -> None:
    readme = (FOLDER.parent / "README.md").read_text(encoding="utf-8")
    quantity, level = re.search(r"`break when min\((\w)\) < ([\d.]+)`", readme).groups()  # type: ignore[union-attr]
    least = recorded("airline")["LSTM"].values(quantity).min(axis=(1, 2))
    assert 1 < (least < float(level)).sum() < len(least) / 2


@pytest.mark.parametrize("model", GATED)
def test_gated_cells_remember_the_bit(model: str, recorded: Recorded) -> None:
    trace = recorded("latch")[model]
    assert ((trace.values("y")[-1] > 0) == (trace.arrays["target"][-1] > 0.5)).all()
    data = make_task("latch", length=100, batch=200, seed=12345)
    assert ((outputs("latch", model, data)[-1] > 0) == (data.target[-1] > 0.5)).mean() >= 0.99


@pytest.mark.parametrize("model", ["JANET", "CfC", "RG-LRU", "sLSTM", "minGRU", "minLSTM"])
def test_newer_cells_remember_the_bit_where_a_factor_keeps_a_state(model: str, recorded: Recorded) -> None:
    data = make_task("latch", length=100, batch=200, seed=12345)
    right = ((outputs("latch-newer", model, data)[-1] > 0) == (data.target[-1] > 0.5)).mean()
    trace = recorded("latch-newer")[model]
    cell, gradient = trace.cell(), trace.norms("d" + trace.cell().memory)
    assert bool(cell.keeping) == (model != "CfC")
    assert right >= 0.99 if cell.keeping else 0.35 < right < 0.65
    assert (gradient[0] > (1e-2 if cell.keeping else -1) * gradient[-1]).all()


@pytest.mark.parametrize("model", PLAIN)
def test_plain_rnns_guess(model: str) -> None:
    data = make_task("latch", length=100, batch=200, seed=12345)
    right = ((outputs("latch", model, data)[-1] > 0) == (data.target[-1] > 0.5)).mean()
    assert 0.35 < right < 0.65


def test_what_reaches_the_bit_of_the_gradient_vanishes_without_gates(recorded: Recorded) -> None:
    traces = recorded("latch")
    for name in PLAIN:
        gradient = traces[name].norms("dh")
        assert (gradient[0] < 1e-15 * gradient[-1]).all()
    for name in GATED:
        gradient = traces[name].norms("d" + traces[name].cell().states[-1])
        assert (gradient[0] > 1e-3 * gradient[-1]).all()
        assert (gradient[0] > 1e9 * traces["rnn_tanh"].norms("dh")[0]).all()


def test_the_latch_locks_on_two_sides(recorded: Recorded) -> None:
    trace = recorded("latch")["LSTM"]
    c, f = trace.values("c")[..., 7], trace.values("f")[1:, :, 7]
    assert f.min() > 0.99
    assert abs(c[0]).max() < 0.1
    assert abs(c[50:]).min() > 2
    assert (np.sign(c[50:, 0]) == -np.sign(c[50:, 1])).all()


@pytest.mark.parametrize("model", ["LSTM", "GRU", "BiLSTM, 2 layers"])
def test_depth_is_counted_in_the_text_shown_and_in_new_ones(model: str, recorded: Recorded) -> None:
    trace = recorded("brackets")[model]
    text = "".join(trace.header.labels[token] for token in trace.arrays["tokens"][:, 0])
    depth = np.cumsum([(c in "([") - (c in ")]") for c in text])
    assert (trace.arrays["target"][:, 0, 0] == depth).all()
    assert (trace.values("y")[:, 0, 0].round() == depth).all()
    assert trace.loss < 0.02
    data = make_task("brackets", length=64, batch=100, seed=12345)
    assert ((outputs("brackets", model, data) - data.target) ** 2).mean() < 0.02


def test_a_unit_counts_like_a_thermometer(recorded: Recorded) -> None:
    trace = recorded("brackets")["LSTM"]
    c, depth = trace.values("c")[:, 0, 4], trace.arrays["target"][:, 0, 0]
    assert np.corrcoef(c, depth)[0, 1] > 0.9


@pytest.mark.parametrize("model", ["LSTM", "GRU"])
def test_marked_numbers_are_added(model: str) -> None:
    data = make_task("adding", length=50, batch=200, seed=12345)
    assert ((outputs("adding", model, data)[-1] - data.target[-1]) ** 2).mean() < 0.005


@pytest.mark.parametrize(("model", "gate", "unit", "opens"), [("LSTM", "i", 7, True), ("GRU", "z", 8, False)])
def test_a_gate_hears_the_marker(model: str, gate: str, unit: int, opens: bool, recorded: Recorded) -> None:
    trace = recorded("adding")[model]
    marked = trace.values("x")[:, 0, 1] == 1
    values = trace.values(gate)[:, 0, unit]
    assert list(np.flatnonzero(marked)) == [13, 42]
    if opens:
        assert values[marked].min() > 0.5 > 0.2 > values[~marked].max()
    else:
        assert values[marked].max() < 0.5 < 0.8 < values[~marked].min()


def test_first_steps_can_be_checked_by_hand(recorded: Recorded) -> None:
    trace = recorded("first-steps")["LSTM"]
    expected = {"f": 0.99966, "i": 0.880797, "g": 0.964028, "c": 0.849113, "o": 0.880797, "h": 0.608}
    for quantity, value in expected.items():
        assert trace.values(quantity)[0, 0, 0] == pytest.approx(value, abs=1e-3)
    assert trace.values("f")[4, 0] == pytest.approx([0.1192, 0.5], abs=1e-4)
    quiet = trace.values("f")[[1, 2, 3, 5, 7, 8, 9], 0]
    assert quiet == pytest.approx(np.tile([0.9526, 0.5], (7, 1)), abs=1e-4)

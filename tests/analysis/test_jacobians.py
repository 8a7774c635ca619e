"""Time by time: against `torch.func.jacrev` of the model unrolled from a state on."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from clock import within
from oracles.invented_cells import MINGRU, ODD, invented_cells
from oracles.recurrents import noise, random_recurrent, random_states
from torch import Tensor, nn
from torch.func import jacrev

from lstmtui.analysis.jacobian_map import jacobian_map
from lstmtui.analysis.jacobian_products import norms_of_pairs
from lstmtui.analysis.jacobian_row import jacobian_row
from lstmtui.capture.record import record
from lstmtui.capture.reruns.rerun import rerun
from lstmtui.cells import CELLS
from lstmtui.errors import UserError
from lstmtui.session import Session
from lstmtui.session.asking_jacobians import map_text, row_text
from lstmtui.trace import Trace
from lstmtui.trace.edits import Edit

__all__ = ["invented_cells", "within"]

STEPS, AT = 7, 5
pytestmark = pytest.mark.usefixtures("invented_cells")


def unrolled(module: Any, x: Tensor, states: tuple[Tensor, ...]) -> Tensor:
    """The last h of the first sequence."""
    hx = tuple(state[None, None] for state in states)
    return module(x[:, None], hx if len(hx) > 1 else hx[0])[0][-1, 0]


@pytest.mark.parametrize("name", [*CELLS, MINGRU.name, ODD.name])
def test_the_row_of_a_timestep_is_what_jacrev_gives(name: str) -> None:
    module = random_recurrent(name)
    x, hx = noise(STEPS, 2, 3, seed=1), random_states(module, 2)
    trace = record(module, x, hx=hx)
    session = Session(trace)
    session.goto(AT)
    row = jacobian_row(session.view)
    names = module.layout.cell.states
    for s in range(AT):
        states = tuple(torch.tensor(trace.values(state)[s, 0]) for state in names)
        later = x[s + 1 : AT + 1, 0]
        for number in range(len(names)):
            jacobian = jacrev(lambda *v: unrolled(module, later, v), argnums=number)(*states)  # noqa: B023
            wanted = float(jacobian.detach().norm())
            assert row.by_state[number][s] == pytest.approx(wanted, rel=1e-10, abs=1e-12), (names[number], s)
        by_x = jacrev(lambda v: unrolled(module, v, states))(later)[:, 0]  # noqa: B023
        assert row.by_x[s + 1] == pytest.approx(float(by_x.detach().norm()), rel=1e-10, abs=1e-12)
    assert np.isnan(row.by_x[AT + 1 :]).all()
    assert np.isnan(row.by_state[0][AT:]).all()


def maps_of(session: Session, steps: int) -> list[np.ndarray]:
    """By each state and by x, exact."""
    shown = [jacobian_map(session.view, by, 0, steps) for by in (*session.cell.states, "x")]
    assert {(map.probes, map.error) for map in shown} == {(0, 0.0)}
    return [map.values for map in shown]


EVERY = [*((name, "forward") for name in (*CELLS, MINGRU.name, ODD.name)), ("gru", "backward")]


@pytest.mark.parametrize(("name", "direction"), EVERY)
def test_the_map_has_the_row_of_each_timestep(name: str, direction: str) -> None:
    module = random_recurrent(name, bidirectional=direction == "backward")
    session = Session(record(module, noise(STEPS, 2, 3, seed=1), lengths=[STEPS, 5]))
    session.select_batch(1)
    session.select_direction(direction)
    maps = maps_of(session, STEPS)
    assert [map.shape for map in maps] == [(5, 5)] * len(maps)
    for t in range(5):
        session.goto(t)
        row = jacobian_row(session.view)
        for map, wanted in zip(maps, (*row.by_state, row.by_x), strict=True):
            assert map[t] == pytest.approx(wanted[:5], rel=1e-12, nan_ok=True)


@pytest.mark.parametrize("scale", [0.2, 1, 3])
def test_a_map_of_large_matrices_has_what_their_products_have(
    scale: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = random_recurrent("lstm", hidden_size=8)
    with torch.no_grad():
        module.weight_hh_l0 *= scale
    session = Session(record(module, noise(90, 1, 3, seed=1)))
    exact = maps_of(session, 90)
    monkeypatch.setattr("lstmtui.analysis.jacobian_products._MULTIPLIED", 0)
    for map, wanted in zip(maps_of(session, 90), exact, strict=True):
        assert map == pytest.approx(wanted, rel=1e-6, abs=0, nan_ok=True)


def test_norms_of_pairs_are_right_where_most_of_the_factors_cancels(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(0)
    left, right = draw.normal(size=(2, 3, 4)), draw.normal(size=(2, 4, 5))
    left[1, :, 1:], right[1, 0] = 1e-9 * left[1, :, 1:], 0
    monkeypatch.setattr("lstmtui.analysis.jacobian_products._MULTIPLIED", 0)
    norms = norms_of_pairs(left, np.array([0, 3]), right, np.array([-2, 0]))
    powers = np.array([[0.25, 1], [2, 8]])
    wanted = [[np.linalg.norm(a @ b) for b in right] for a in left] * powers
    assert norms == pytest.approx(wanted, rel=1e-7, abs=0)


def test_a_derivative_of_1e_minus_200_has_its_digits_in_a_map() -> None:
    module = random_recurrent("rnn_tanh", hidden_size=2)
    with torch.no_grad():
        module.weight_hh_l0 *= 1e-10
    trace = record(module, noise(24, 1, 3, seed=1))
    shown = jacobian_map(Session(trace).view, "h", 0, 24).values
    weight = module.weight_hh_l0.detach().numpy()
    for s in range(23):
        product = np.eye(2)
        for t in range(s + 1, 24):
            product = (1 - trace.values("h")[t, 0, :, None] ** 2) * weight @ product
            assert shown[t, s] == pytest.approx(math.hypot(*product.flat), rel=1e-12, abs=0), (t, s)
    assert 1e-240 < shown[23, 2] < 1e-190


def test_what_has_vanished_is_0_in_a_map() -> None:
    module = nn.RNN(1, 1, dtype=torch.float64)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.fill_(1e-40)
    session = Session(record(module, torch.ones(40, 1, 1, dtype=torch.float64)))
    by_h, by_x = maps_of(session, 40)
    assert by_h[1, 0] == pytest.approx(1e-40)
    assert by_h[39, :30].tolist() == by_x[39, :30].tolist() == [0.0] * 30
    assert np.isnan(by_h[0]).all()
    assert by_x[0, 0] == pytest.approx(1e-40)


@pytest.mark.parametrize("by", ["h", "x"])
def test_random_directions_are_as_far_off_as_they_say(by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session(record(random_recurrent("gru", hidden_size=16), noise(30, 1, 3, seed=1)))
    exact = jacobian_map(session.view, by, 0, 30)
    monkeypatch.setattr("lstmtui.analysis.jacobian_map.MOST_EXACT", 0)
    monkeypatch.setattr("lstmtui.analysis.jacobian_map.MOST_PROBED", 1)
    maps = [jacobian_map(session.view, by, 0, 30, seed) for seed in range(40)]
    assert maps[0].probes == 4
    inside = ~np.isnan(exact.values) & (exact.values > 1e-12)
    off = np.stack([(m.values / exact.values)[inside] for m in maps])
    assert 0.02 < np.sqrt(((off - 1) ** 2).mean()) <= maps[0].error
    assert (off**2).mean() == pytest.approx(1, abs=0.05)  # squares are not biased


def test_a_value_that_is_set_depends_on_nothing_before_it() -> None:
    torch.manual_seed(0)
    trace = record(nn.GRU(2, 3, dtype=torch.float64), torch.randn(8, 1, 2, dtype=torch.float64))
    changed = rerun(trace, [Edit(1, "", 0, "forward", 0, "h", None, 0.5, 4, 4)])
    session = Session(Trace(changed.header, changed.arrays))
    session.goto(6)
    row = jacobian_row(session.view)
    assert row.by_state[0][4] > 0
    assert row.by_state[0][3] == 0
    assert row.has_vanished


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_derivatives_that_are_not_finite_are_said_to_be_so(direction: str) -> None:
    module = random_recurrent("gru", bidirectional=True)
    x = noise(8, 1, 3, seed=1)
    x[3, 0, 1] = torch.nan
    session = Session(record(module, x))
    session.select_direction(direction)
    session.goto(7 if direction == "forward" else 0)
    row = jacobian_row(session.view)
    nearest = 7 if direction == "forward" else 0
    assert (row.not_finite, row.has_vanished) == (nearest, False)
    assert row_text(row, 7 - nearest) == (
        f"‖∂h_{nearest}/·‖ (Frobenius): by ∂h_s nothing to look at; by ∂x_s nothing to look at; "
        f"NaN or infinite from s={nearest} back, which is left out"
    )
    shown = jacobian_map(session.view, "h", 0, 8)
    later = range(4, 8) if direction == "forward" else range(3)
    pairs = sum(np.isnan(shown.values[t, s]) for t in range(8) for s in range(8) if before(s, t, direction))
    assert pairs >= len(later)
    assert f"; NaN for {pairs} pairs; the largest is " in map_text(shown, "h")


def before(s: int, t: int, direction: str) -> bool:
    return s > t if direction == "backward" else s < t


@pytest.mark.clock
def test_a_map_of_200_timesteps_and_64_units_takes_a_second_at_most(within: Any) -> None:
    torch.manual_seed(0)
    session = Session(record(nn.LSTM(8, 64), torch.randn(200, 1, 8)))
    with within(1):
        shown = jacobian_map(session.view, "h", 0, 200)
    assert shown.values.shape == (200, 200)
    assert shown.probes == 0


def test_a_map_by_what_the_cell_has_not_is_refused() -> None:
    session = Session(record(random_recurrent("gru"), noise(4, 1, 3, seed=1)))
    with pytest.raises(UserError, match="there is no map by c; there are h, x"):
        jacobian_map(session.view, "c", 0, 4)


def test_recorded_code_is_refused() -> None:
    from source_traces import source_trace

    with pytest.raises(UserError, match="the equations of recorded code are not known"):
        jacobian_row(Session(source_trace()).view)

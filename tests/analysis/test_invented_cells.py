"""Two cells made up on the spot: half-lives, routes, reach and verdicts against pencil and autograd."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from oracles.invented_cells import MINGRU, ODD, STEPPED, invented_cells, recorded, square
from oracles.recurrents import noise, random_recurrent

from lstmtui.analysis.diagnosis import diagnose
from lstmtui.analysis.diagnosis.verdict import BAD, FINE, Verdict
from lstmtui.analysis.first_bad.answer import first_bad
from lstmtui.analysis.gradient_routes import routes_at
from lstmtui.analysis.gradient_split import FROM_ABOVE, survival
from lstmtui.analysis.reach import gradient_reach, half_lives
from lstmtui.capture.record import record
from lstmtui.cells import CELLS, Cell
from lstmtui.session import Session

__all__ = ["invented_cells"]

EXACT = 1e-12
pytestmark = pytest.mark.usefixtures("invented_cells")


def with_open(share: float, steps: int = 40, **options: Any) -> Session:
    """A minGRU whose z is `share` throughout."""
    module = random_recurrent("mingru_tanh", hidden_size=3, **options)
    with torch.no_grad():
        module.weight_ih_l0[:3] = 0.0
        module.bias_ih_l0[:3] = float(np.log(share / (1 - share)))
    return Session(record(module, noise(steps, 2, 3, seed=8), loss=lambda result: result[0][-1].sum()))


@pytest.mark.parametrize("share", [1.8e-5, 0.25, 0.9])
def test_the_half_life_is_that_of_one_minus_z(share: float) -> None:
    session = with_open(share)
    wanted = np.log(0.5) / np.log1p(-share)
    assert half_lives(session.view) == pytest.approx(np.full(3, wanted), rel=1e-9)


def test_the_half_life_of_a_varying_gate_is_that_of_its_mean() -> None:
    session = Session(recorded(MINGRU)[1])
    mean = (1 - session.trace.values("z")[:, 0]).mean(0)
    assert half_lives(session.view) == pytest.approx(np.log(0.5) / np.log(mean), rel=1e-12)


def test_gradients_reach_as_far_as_the_kept_factor_lets_them() -> None:
    session = with_open(0.25)
    reach = gradient_reach(session.view)
    assert (reach.state, reach.steps) == ("h", np.ceil(-1 / np.log(0.75)))


def test_the_only_route_of_a_mingru_is_what_is_kept() -> None:
    session = Session(recorded(MINGRU)[1])
    trace = session.trace
    for t in range(1, trace.steps):
        session.goto(t)
        (split,) = routes_at(session.view)
        carry, above = split.routes
        assert (carry.name, above.name) == ("carry 1 − z", FROM_ABOVE)
        kept = (1 - trace.values("z")[t, 0]) * trace.values("dh")[t, 0]
        assert np.abs(carry.values - kept).max() <= EXACT
        assert np.abs(above.values - 2 * trace.values("h")[t - 1, 0]).max() <= EXACT
    session = with_open(0.02)
    session.goto(20)
    assert survival(routes_at(session.view)[0]).endswith("100% of it came by carry 1 − z")


def test_every_route_of_a_cell_with_three_states_is_there() -> None:
    module, trace, _, _ = recorded(ODD)
    session = Session(trace)
    p = {n.removesuffix("_l0"): v.detach().numpy() for n, v in module.named_parameters()}
    for t in range(1, trace.steps):
        session.goto(t)
        d, before = (
            {n: trace.values(f"{end}{n}")[s, 0] for n in ODD.quantities} for end, s in (("d", t), ("", t - 1))
        )
        d_before = {n: trace.values("d" + n)[t - 1, 0] for n in ODD.quantities}
        now = {n: trace.values(n)[t, 0] for n in ODD.quantities}
        wanted = {
            "h": {"R_v": d["v"] @ p["weight_hh"]},
            "c": {
                "carry 1 − a": (1 - now["a"]) * d["c"],
                "output gate": d_before["h"] * before["q"] * (1 - np.tanh(before["c"]) ** 2),
                "mix": d_before["q_pre"] @ p["weight_mix"],
            },
            "m": {"carry decay": p["decay"] * d["m"], "u": p["weight_u"] * d["a_pre"]},
        }
        for split in routes_at(session.view):
            routes = {route.name: route.values for route in split.routes}
            above = routes.pop(FROM_ABOVE, 0.0)
            assert np.abs(above - (2 * before["h"] if split.state == "h" else 0.0)).max() <= EXACT
            assert list(routes) == list(wanted[split.state])
            for name, values in wanted[split.state].items():
                assert np.abs(routes[name] - values).max() <= EXACT, name


@pytest.mark.parametrize("cell", STEPPED)
def test_the_routes_and_what_reads_h_from_above_are_all_of_every_derivative(cell: Cell) -> None:
    _, trace, _, _ = recorded(cell)
    session = Session(trace)
    for t in range(trace.steps):
        session.goto(t)
        for split in routes_at(session.view):
            routes = {route.name: route.values for route in split.routes}
            above = routes.pop(FROM_ABOVE, np.zeros_like(split.whole))
            wanted = 2 * trace.values("h")[t - 1, 0] if split.state == "h" and t else 0.0
            largest = max([1.0, *(np.abs(values).max() for values in routes.values())])
            assert np.abs(above - wanted).max() <= EXACT * largest, (split.state, t)


@pytest.mark.parametrize("cell", STEPPED)
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -3e38])
def test_what_is_not_finite_is_traced_through_every_operation(cell: Cell, bad: float) -> None:
    module = random_recurrent(cell.name, dtype=torch.float32)
    parameters = list(module.parameters())
    for parameter in parameters[:: max(1, len(parameters) // 3)]:
        before = parameter.detach().clone()
        with torch.no_grad():
            parameter.view(-1)[parameter.numel() // 2] = bad
        trace = record(module, noise(4, 2, 3, seed=1, dtype=torch.float32), loss=square)
        for way in ("forward", "backward"):
            first = first_bad(Session(trace).view, way)
            assert first is None or (first.where and first.how)
        with torch.no_grad():
            parameter.copy_(before)


def test_the_half_life_of_an_slstm_is_that_of_what_it_shows() -> None:
    """c / n keeps f·n₋₁ / n of itself, whatever the stabilizer makes of f alone."""
    trace = recorded(CELLS["slstm"])[1]
    f, n = trace.values("f")[:, 0], trace.values("n")[:, 0]
    before = np.concatenate([trace.initial("n")[:1], n[:-1]])
    wanted = np.log(0.5) / np.log((f * before / n).mean(0))
    assert half_lives(Session(trace).view) == pytest.approx(wanted, rel=1e-9)
    drifting = [v.quantity for v in verdicts(Session(trace), "drift") if v.quantity]
    assert drifting == []  # c and n grow together, and nothing is shown but their quotient


def test_the_half_life_of_a_minlstm_is_that_of_its_share() -> None:
    trace = recorded(CELLS["minlstm"])[1]
    f, i = trace.values("f")[:, 0], trace.values("i")[:, 0]
    wanted = np.log(0.5) / np.log((f / (f + i)).mean(0))
    assert half_lives(Session(trace).view) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("name", ["cfc", "indrnn"])
def test_a_cell_that_keeps_nothing_by_a_factor_has_no_half_life(name: str) -> None:
    assert half_lives(Session(recorded(CELLS[name])[1]).view) is None


def verdicts(session: Session, name: str) -> Iterator[Verdict]:
    return (v for v in diagnose(session.view) if v.name == name)


def test_a_closed_gate_remembers_where_one_minus_it_is_what_keeps() -> None:
    closed = {v.quantity: v for v in verdicts(with_open(0.01), "saturated")}
    assert set(closed) == {"z", "n"}
    assert (closed["z"].severity, closed["z"].number) == (FINE, 0.0)
    assert closed["z"].text.endswith("; closed is how it remembers")
    assert next(verdicts(with_open(0.01), "stuck")).severity == FINE
    opened = next(v for v in verdicts(with_open(0.99), "stuck") if v.quantity == "z")
    assert (opened.severity, opened.text) == (BAD, "z is throughout above 0.95 in 3 of 3 units (0, 1, 2)")


def test_a_unit_that_is_not_written_to_is_found_by_what_the_equation_writes() -> None:
    module = random_recurrent("mingru_tanh", hidden_size=3)
    with torch.no_grad():
        module.weight_ih_l0[4] = module.bias_ih_l0[4] = 0.0  # n of unit 1
    verdict = next(verdicts(Session(record(module, noise(40, 1, 3, seed=9))), "unwritten"))
    assert (verdict.quantity, verdict.units) == ("n", (1,))
    assert verdict.text == "|z·n| never exceeds 1% of the largest in 1 of 3 units (1)"


def test_only_a_state_that_is_no_average_can_drift() -> None:
    assert not list(verdicts(with_open(0.5), "drift"))
    module = random_recurrent("odd", hidden_size=2)
    with torch.no_grad():
        module.decay_l0.fill_(1.0)
        module.weight_hh_l0.zero_()
        module.weight_ih_l0[2:] = 1.0
    (drift,) = verdicts(Session(record(module, torch.ones(60, 1, 3, dtype=torch.float64))), "drift")
    assert (drift.quantity, drift.severity, drift.units) == ("m", BAD, (0, 1))

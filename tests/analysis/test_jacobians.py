"""Time by time: against `torch.func.jacrev` of the model unrolled from a state on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from clock import within
from oracles.invented_cells import MINGRU, ODD, invented_cells
from oracles.recurrents import noise, random_recurrent, random_states
from torch import Tensor, nn
from torch.func import jacrev

from lstmtui.analysis.jacobians import jacobian_map, jacobian_row
from lstmtui.capture.record import record
from lstmtui.capture.reruns.rerun import rerun
from lstmtui.cells import CELLS
from lstmtui.errors import UserError
from lstmtui.session import Session
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


@pytest.mark.parametrize(
    ("name", "direction"), [("lstm", "forward"), ("gru", "backward"), ("lstm_layernorm", "forward")]
)
def test_the_map_has_the_row_of_each_timestep(name: str, direction: str) -> None:
    module = random_recurrent(name, bidirectional=direction == "backward")
    session = Session(record(module, noise(STEPS, 2, 3, seed=1), lengths=[STEPS, 5]))
    session.select_batch(1)
    session.select_direction(direction)
    shown = jacobian_map(session.view, 0, STEPS)
    assert (shown.probes, shown.error, shown.values.shape) == (0, 0.0, (5, 5))
    for t in range(5):
        session.goto(t)
        row = jacobian_row(session.view)
        assert shown.values[t] == pytest.approx(row.by_state[0][:5], rel=1e-12, nan_ok=True)


def test_random_directions_are_as_far_off_as_they_say(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session(record(random_recurrent("gru", hidden_size=16), noise(30, 1, 3, seed=1)))
    exact = jacobian_map(session.view, 0, 30)
    monkeypatch.setattr("lstmtui.analysis.jacobians.MOST_OF_MAP", 1)
    maps = [jacobian_map(session.view, 0, 30, seed) for seed in range(40)]
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


@pytest.mark.clock
def test_a_map_of_200_timesteps_and_64_units_takes_a_second_at_most(within: Any) -> None:
    torch.manual_seed(0)
    session = Session(record(nn.LSTM(8, 64), torch.randn(200, 1, 8)))
    with within(1):
        shown = jacobian_map(session.view, 0, 200)
    assert shown.values.shape == (200, 200)
    assert shown.error <= 0.3


def test_recorded_code_is_refused() -> None:
    from source_traces import source_trace

    with pytest.raises(UserError, match="of recorded code no equations are known"):
        jacobian_row(Session(source_trace()).view)

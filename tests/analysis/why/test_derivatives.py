"""Derivatives by when they are read, against autograd with the loss taken at one timestep at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from oracles.invented_cells import MINGRU, ODD, invented_cells
from oracles.recurrents import noise, random_recurrent, random_states
from torch import Tensor, nn

from lstmtui.analysis.why.answer import ledger_at
from lstmtui.analysis.why.ledger import Place
from lstmtui.capture.record import record
from lstmtui.cells import CELLS
from lstmtui.trace import Trace

__all__ = ["invented_cells"]

STEPS = 7
EXACT = 1e-12
pytestmark = pytest.mark.usefixtures("invented_cells")


def loss_at(timesteps: range) -> Any:
    def loss(result: Any) -> Tensor:
        h = result[0]
        return (noise(*h.shape, seed=3) * h**2)[list(timesteps)].sum()

    return loss


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("name", [*CELLS, MINGRU.name, ODD.name])
def test_what_each_reading_brings_is_what_autograd_gives_of_it_alone(name: str, direction: str) -> None:
    module = random_recurrent(name, bidirectional=True)
    x, hx = noise(STEPS, 2, 3, seed=1), random_states(module, 2)

    def run(timesteps: range) -> Trace:
        return record(module, x, hx=hx, lengths=[STEPS, 5], loss=loss_at(timesteps))

    whole, alone = run(range(STEPS)), [run(range(s, s + 1)) for s in range(STEPS)]
    for state in module.layout.cell.states:
        scale = max(np.abs(whole.values("d" + s, 0, direction)).max() for s in module.layout.cell.states)
        for t in (0, 2, 4):
            for unit in range(whole.values(state).shape[-1]):
                place = Place("d" + state, t, unit, 0, direction, 1)
                ledger = ledger_at(whole, place)
                parts = {part.t: part.value for part in ledger.parts}
                if ledger.equation.endswith("by when it is read"):
                    for s in range(5):
                        wanted = alone[s].values("d" + state, 0, direction)[t, 1, unit]
                        assert parts.get(s, 0.0) == pytest.approx(wanted, rel=1e-11, abs=EXACT * scale)
                else:
                    assert abs(ledger.value) <= EXACT * scale  # m of an sLSTM, which falls out


def test_a_layer_below_is_read_at_every_timestep_by_the_one_above() -> None:
    module = random_recurrent("lstm", num_layers=2)
    trace = record(module, noise(STEPS, 1, 3, seed=1))
    ledger = ledger_at(trace, Place("dc", 2, 1, 0, "forward", 0))
    assert {part.t for part in ledger.parts} == set(range(2, STEPS))
    routes = ledger_at(trace, Place("routes dh", 2, 1, 0, "forward", 0))
    above = next(part for part in routes.parts if part.text.startswith("layer 1"))
    assert above.value == trace.values("dx", 1)[2, 0, 1]
    assert above.leads_to == Place("dx", 2, 1, 1, "forward", 0)


def test_the_head_brings_what_its_weights_and_dy_make(tmp_path: Any) -> None:
    scenario = tmp_path / "s.toml"
    scenario.write_text("""
[input]
values = [[0.1], [0.5], [-0.3], [0.2], [0.9]]
[objective]
loss = "mse"
target = "next"
[[model]]
cell = "gru"
hidden_size = 4
head = 1
seed = 0
[run]
dtype = "float64"
""")
    import lstmtui

    (trace,) = lstmtui.run(scenario).values()
    routes = ledger_at(trace, Place("routes dh", 1, 2, 0, "forward", 0))
    head = next(part for part in routes.parts if part.text.startswith("head["))
    wanted = trace.parameters["head.weight"][0, 2] * trace.values("dy")[1, 0, 0]
    assert head.value == pytest.approx(wanted, rel=1e-14)
    y = ledger_at(trace, Place("y", 1, 0, 0, "forward", 0))
    assert abs(y.residual) <= EXACT * y.size
    assert len(y.parts) == 5
    loss = ledger_at(trace, Place("loss", 0, 0, 0, "forward", 0))
    assert abs(loss.residual) <= EXACT * loss.size
    assert {part.t for part in loss.parts} == {0, 1, 2, 3}


def test_what_is_read_far_off_comes_to_one_part_where_somebody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    module = random_recurrent("gru")
    trace = record(module, noise(40, 1, 3, seed=1), loss=lambda result: result[0].sum())
    monkeypatch.setattr(sys.modules["lstmtui.analysis.why.read_later"], "_QUICK", 1)
    monkeypatch.setattr(sys.modules["lstmtui.analysis.why.read_later"], "_GONE", 0.0)
    quick = ledger_at(trace, Place("dh", 0, 1, 0, "forward", 0), is_quick=True)
    full = ledger_at(trace, Place("dh", 0, 1, 0, "forward", 0))
    assert abs(quick.residual) <= EXACT * quick.size
    assert full.count > quick.count
    assert any(part.text == "read at the 24 readings from t=16 on, together" for part in quick.parts)


def test_an_infinite_derivative_has_no_part_that_is_infinity_less_infinity() -> None:
    trace = record(nn.RNN(2, 3, dtype=torch.float64), torch.ones(5, 1, 2, dtype=torch.float64))
    arrays = dict(trace.arrays)
    for key in ("0/forward/dh", "dy"):
        arrays[key] = np.full_like(np.asarray(trace.values("dh")), 0.0)
        arrays[key][4, 0, 1] = np.inf
    arrays["0/forward/dh_pre"] = np.zeros_like(arrays["dy"])
    ledger = ledger_at(Trace(trace.header, arrays), Place("routes dh", 4, 1, 0, "forward", 0))
    assert [(part.text, part.value) for part in ledger.parts] == [("dy", np.inf)]


def test_nothing_reads_what_nothing_reads() -> None:
    trace = record(nn.LSTM(2, 3), torch.ones(5, 1, 2), loss=lambda result: result[0][1].sum())
    ledger = ledger_at(trace, Place("dc", 3, 0, 0, "forward", 0))
    assert (ledger.value, ledger.parts) == (0.0, ())

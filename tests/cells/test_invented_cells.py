"""Two cells made up on the spot, and all whose step is written by hand: numbers come from the equations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from oracles.invented_cells import (
    MINGRU,
    ODD,
    STEPPED,
    invented_cells,
    recorded,
    run_by_hand,
    square,
)
from oracles.recurrents import CELL_NAMES, noise, random_recurrent
from oracles.steps_by_hand import STEPS, mingru_tanh_step
from torch import Tensor, nn

import lstmtui
from lstmtui.analysis.equations import equations_at
from lstmtui.analysis.first_bad.answer import first_bad
from lstmtui.analysis.first_bad.operands import made_by
from lstmtui.analysis.first_bad.values import first_bad_value
from lstmtui.capture.engine import RerunEngine
from lstmtui.capture.record import record
from lstmtui.cells import CELLS, Cell
from lstmtui.cells.layout import Layout
from lstmtui.cells.rendering import text
from lstmtui.errors import UserError
from lstmtui.expressions import Expression
from lstmtui.expressions.at_cursor import NoValue, evaluated
from lstmtui.models.checkpoints.layers import find_layers
from lstmtui.models.recurrent import Recurrent
from lstmtui.session import Session
from lstmtui.session.execute import execute
from lstmtui.session.parse import parse_line
from lstmtui.trace import Trace

__all__ = ["invented_cells"]

EXACT = 1e-12
pytestmark = pytest.mark.usefixtures("invented_cells")


def close(ours: Any, theirs: Tensor) -> bool:
    wanted = theirs.detach().numpy()
    return bool(np.abs(ours - wanted).max() <= EXACT * max(1.0, np.abs(wanted).max()))


def test_every_cell_is_written_by_hand_too() -> None:
    assert set(CELLS) <= {*CELL_NAMES, *STEPS}


@pytest.mark.parametrize("cell", STEPPED)
def test_values_and_total_derivatives_are_those_of_a_plain_loop(cell: Cell) -> None:
    module, trace, x, hx = recorded(cell)
    steps, parameters, initial = run_by_hand(cell, module, x, hx)
    assert trace.quantities()[1 : 1 + len(cell.quantities)] == tuple(cell.quantities)
    for t, values in enumerate(steps):
        for name, value in values.items():
            assert close(trace.values(name)[t], value), name
            of_nothing = torch.zeros_like(value)  # the last m, which nothing reads
            assert close(trace.values("d" + name)[t], of_nothing if value.grad is None else value.grad), name
    for name, parameter in parameters.items():
        assert parameter.grad is not None
        assert close(trace.parameter_gradients[name + "_l0"], parameter.grad), name
    for state, value in initial.items():
        assert value.grad is not None
        assert close(trace.initial("d" + state), value.grad)


def test_a_layer_has_the_parameters_that_the_equations_read_and_no_others() -> None:
    assert Layout(MINGRU, 3, 4, num_layers=2).shapes() == {
        "weight_ih_l0": (8, 3),
        "bias_ih_l0": (8,),
        "weight_ih_l1": (8, 4),
        "bias_ih_l1": (8,),
    }
    assert Layout(ODD, 3, 4, bias=False).shapes() == {
        "weight_ih_l0": (8, 3),
        "weight_hh_l0": (4, 4),
        "weight_u_l0": (4,),
        "decay_l0": (4,),
        "weight_mix_l0": (4, 4),
    }
    assert (MINGRU.reads("z"), MINGRU.reads("h")) == (("W_z", "b_z"), ())
    assert (ODD.reads("a"), ODD.reads("q")) == (("W_a", "u", "b_a"), ("mix", "b_q"))


def test_a_parameter_that_the_cell_does_not_have_is_named() -> None:
    cell = Cell("odd", ODD.equations, rows=("a", "q", "v"), states=("h", "c", "m"))
    with pytest.raises(ValueError, match="odd: the equations read u, which is no parameter of the cell"):
        Layout(cell, 3, 4).shapes()


@pytest.mark.parametrize("cell", STEPPED)
def test_it_trains_in_layers_and_both_directions(cell: Cell) -> None:
    torch.manual_seed(0)
    module = Recurrent(cell.name, 3, 8, num_layers=2, bidirectional=True, dtype=torch.float64)
    x, head = noise(12, 4, 3, seed=6), nn.Linear(16, 1, dtype=torch.float64)
    wanted = x.cumsum(0).sum(-1, keepdim=True).tanh()
    optimizer = torch.optim.Adam([*module.parameters(), *head.parameters()], lr=0.05)
    losses = []
    for _ in range(15):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(head(module(x)[0]), wanted)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]
    again = Recurrent(cell.name, 3, 8, num_layers=2, bidirectional=True, dtype=torch.float64)
    again.load_state_dict(module.state_dict())
    assert torch.equal(again(x)[0], module(x)[0])


@pytest.mark.parametrize("cell", STEPPED)
def test_padding_changes_nothing_before_it(cell: Cell) -> None:
    module = random_recurrent(cell.name, num_layers=2, bidirectional=True)
    x = noise(7, 2, 3, seed=7)
    trace = record(module, x, lengths=torch.tensor([7, 4]))
    alone = record(module, x[:4, 1:])
    for name in cell.quantities:
        for direction in ("forward", "backward"):
            ours = trace.values(name, 1, direction)[:4, 1:]
            assert np.abs(ours - alone.values(name, 1, direction)).max() <= EXACT


@pytest.mark.parametrize("cell", STEPPED)
def test_equations_give_what_was_recorded_and_say_what_is_kept(cell: Cell) -> None:
    _, trace, _, _ = recorded(cell)
    session = Session(trace)
    session.goto(4)
    equations = equations_at(session.view)
    assert tuple(e.quantity for e in equations) == cell.stages
    for equation in equations:
        assert equation.computed == pytest.approx(equation.value, rel=1e-12)
        if equation.parts:
            assert sum(value for _, value in equation.parts) == pytest.approx(equation.value, rel=1e-12)
    kept = {e.quantity: [name for name, _ in e.parts] for e in equations if e.parts}
    assert kept == {state: ["kept", "written"] for state in cell.keeping}


def test_the_formula_is_as_one_writes_it() -> None:
    session = Session(recorded(MINGRU)[1])
    session.goto(4)
    assert [f"{text(e.left)} = {text(e.symbols)}" for e in equations_at(session.view)] == [
        "z₄ = σ(W_z·x + b_z)",
        "n₄ = tanh(W_n·x + b_n)",
        "h₄ = (1 − z)·h₃ + z·n",
    ]


def test_a_nan_is_traced_to_the_parameter_that_made_it() -> None:
    module = random_recurrent("mingru_tanh")
    with torch.no_grad():
        module.bias_ih_l0[5] = float("nan")
    trace = record(module, noise(12, 1, 3, seed=10), loss=square)
    bad = first_bad_value(trace)
    assert bad is not None
    assert (bad.quantity, bad.t, bad.unit) == ("n_pre", 0, 1)
    assert made_by(trace, bad).startswith("n_pre[1] = W_n·x + b_n = ")
    backwards = first_bad(Session(trace).view, "backward")
    assert backwards is not None


def test_a_what_if_runs_the_equations_again() -> None:
    module, trace, x, hx = recorded(MINGRU)
    session = Session(trace, RerunEngine())
    execute(session, parse_line("set z[1] = 0 from 3 to 5"))
    p = {n.removesuffix("_l0"): v.detach() for n, v in module.named_parameters()}
    h = hx[0]
    for t in range(len(x)):
        step = mingru_tanh_step(p, x[t], {"h": h})
        if 3 <= t <= 5:
            step["z"][0, 1] = 0.0
        h = (1 - step["z"]) * h + step["z"] * step["n"]
        assert close(session.trace.values("h")[t], h)
    assert session.trace is not trace


def test_expressions_know_it_and_say_what_plays_a_part_in_it() -> None:
    session = Session(recorded(MINGRU)[1])
    for name, meant in (("f", "z"), ("df_pre", "dz_pre"), ("g", "n"), ("c", "h")):
        result = evaluated(session.view, (Expression(f"norm({name})"),))[0]
        assert isinstance(result, NoValue)
        assert f"did you mean {meant}?" in result.error


def test_a_saved_run_opens_again(tmp_path: Any) -> None:
    _, trace, _, _ = recorded(ODD)
    trace.save(tmp_path / "odd.trace")
    again = lstmtui.load(tmp_path / "odd.trace")
    assert isinstance(again, Trace)
    assert again.quantities() == trace.quantities()
    assert np.array_equal(again.values("dm"), trace.values("dm"))
    with pytest.raises(UserError):
        again.values("f")


@pytest.mark.parametrize("cell", STEPPED)
def test_a_checkpoint_of_it_is_recognised_by_its_parameters(cell: Cell) -> None:
    module = Recurrent(cell.name, 3, 4, num_layers=2, bidirectional=True)
    shapes = {f"encoder.{name}": tuple(p.shape) for name, p in module.state_dict().items()}
    (layer,) = find_layers({**shapes, "head.weight": (1, 8)})
    assert layer.as_cell(cell.name).layout == module.layout
    assert set(layer.cells) == ({"mingru", "mingru_tanh"} if "mingru" in cell.name else {cell.name})

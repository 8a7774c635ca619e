"""Cells that the program has never heard of, and their runs."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from oracles.recurrents import CELL_NAMES, noise, random_recurrent, random_states
from oracles.steps_by_hand import Tensors, by_hand
from torch import Tensor

from lstmtui.capture.record import record
from lstmtui.cells import CELLS
from lstmtui.cells.cell import Cell, Equations, Parameters, Value
from lstmtui.cells.functions import tanh, σ
from lstmtui.cells.parameters import Parameter
from lstmtui.models.recurrent import Recurrent
from lstmtui.trace import Trace


def mingru(p: Parameters, x: Value, h: Value) -> Equations:
    """Feng et al. 2024: gates of x alone, so that no parameter acts on h."""
    z_pre = yield "z_pre", p.W_z @ x + p.b_z
    z = yield "z", σ(z_pre)
    n_pre = yield "n_pre", p.W_n @ x + p.b_n
    n = yield "n", tanh(n_pre)
    yield "h", (1 - z) * h + z * n


def odd(p: Parameters, x: Value, h: Value, c: Value, m: Value) -> Equations:
    """Three states, rows that have not all of W, R and b, and parameters of its own names and shapes."""
    a_pre = yield "a_pre", p.W_a @ x + p.u * m + p.b_a
    a = yield "a", σ(a_pre)
    v = yield "v", p.W_v @ x + p.R_v @ h
    c = yield "c", c + a * (v - c)
    m = yield "m", p.decay * m + v
    q_pre = yield "q_pre", p.mix @ c + p.b_q
    q = yield "q", σ(q_pre)
    yield "h", q * tanh(c)


MINGRU = Cell("mingru_tanh", mingru, rows=("z", "n"), states=("h",))
ODD = Cell(
    "odd",
    odd,
    rows=("a", "q", "v"),
    states=("h", "c", "m"),
    own_parameters=(
        Parameter("weight_u", ("u",), ("hidden",)),
        Parameter("decay", ("decay",), ("hidden",)),
        Parameter("weight_mix", ("mix",), ("hidden", "hidden")),
    ),
)

_NEW = [cell for name, cell in CELLS.items() if name not in CELL_NAMES]
STEPPED = [pytest.param(cell, id=cell.name) for cell in (MINGRU, ODD, *_NEW)]
"""The invented cells, and every cell of the program that has only its step written by hand."""


@pytest.fixture
def invented_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cells are there, as if they were the program's own."""
    for cell in (MINGRU, ODD):
        monkeypatch.setitem(CELLS, cell.name, cell)


def square(result: Any) -> Tensor:
    """A loss that looks at every timestep."""
    loss: Tensor = (result[0] ** 2).sum()
    return loss


def recorded(cell: Cell, steps: int = 9, **options: Any) -> tuple[Recurrent, Trace, Tensor, Any]:
    """A random module, its run on two sequences with derivatives of `square`, its input and its hx."""
    module = random_recurrent(cell.name, **options)
    x, hx = noise(steps, 2, 3, seed=5), random_states(module, 2)
    return module, record(module, x, hx=hx, loss=square), x, hx


def run_by_hand(cell: Cell, module: Recurrent, x: Tensor, hx: Any) -> tuple[list[Tensors], Tensors, Tensors]:
    """Quantities, parameters and initial states, all with their gradients by `square`."""
    parameters = {n.removesuffix("_l0"): p.detach().requires_grad_() for n, p in module.named_parameters()}
    states = hx if isinstance(hx, tuple) else (hx,)
    initial = {s: v[0].detach().requires_grad_() for s, v in zip(cell.states, states, strict=True)}
    steps = by_hand(cell, parameters, x, initial)
    torch.stack([values["h"] for values in steps]).square().sum().backward()  # type: ignore[no-untyped-call]
    return steps, parameters, initial

"""The closed-form continuous-time cell: two candidates, and a gate of time between them.

Written as in :mod:`lstmtui.cells.lstm`. A layer of `backbone` units sees x and h; everything else sees that
layer. The time between two timesteps is 1.

Shapes: x (batch, input), h and every gate (batch, hidden), v (batch, backbone).
"""

from __future__ import annotations

from lstmtui.cells.cell import Cell, Equations, Parameters, Value
from lstmtui.cells.functions import tanh, σ
from lstmtui.cells.parameters import Parameter


def cfc(p: Parameters, x: Value, h: Value) -> Equations:
    """Hasani et al. 2022 ("Closed-form continuous-time neural networks"), as in ncps: one layer before it."""
    v_pre = yield "v_pre", p.W @ x + p.R @ h + p.b
    v = yield "v", 1.7159 * tanh(0.666 * v_pre)  # LeCun's tanh
    f_pre = yield "f_pre", p.W_f @ v + p.b_f
    f = yield "f", tanh(f_pre)
    g_pre = yield "g_pre", p.W_g @ v + p.b_g
    g = yield "g", tanh(g_pre)
    tau_pre = yield "tau_pre", p.W_a @ v + p.b_a + p.W_b @ v + p.b_b
    tau = yield "tau", σ(tau_pre)
    yield "h", f * (1 - tau) + tau * g


HEADS = ("f", "g", "a", "b")
CFC = Cell(
    "cfc",
    cfc,
    rows=("",),
    states=("h",),
    own_parameters=(
        Parameter("weight_ih", ("W",), ("backbone", "input")),
        Parameter("weight_hh", ("R",), ("backbone", "hidden")),
        Parameter("bias_ih", ("b",), ("backbone",), "bias"),
        Parameter("weight_v", tuple("W_" + head for head in HEADS), ("hidden", "backbone")),
        Parameter("bias_v", tuple("b_" + head for head in HEADS), ("hidden",), "bias"),
    ),
    sizes={"backbone": "hidden"},
)

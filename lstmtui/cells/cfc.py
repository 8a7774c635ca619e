"""The closed-form continuous-time cell: two candidates, and a gate of time between them.

Written as in :mod:`lstmtui.cells.lstm`; g1, g2 and the two parts of t_interp are ff1, ff2, t_a and t_b of the
authors' package. A layer of `backbone` units sees x and h; everything else sees that layer. The time between
two timesteps is 1.

Shapes: x (batch, input), h and every gate (batch, hidden), u (batch, backbone).
"""

from __future__ import annotations

from lstmtui.cells.cell import Cell, Equations, Parameters, Value
from lstmtui.cells.functions import tanh, σ
from lstmtui.cells.parameters import Parameter


def cfc(p: Parameters, x: Value, h: Value) -> Equations:
    """Hasani et al. 2022 ("Closed-form continuous-time neural networks"), as in ncps: one layer before it."""
    u_pre = yield "u_pre", p.W @ x + p.R @ h + p.b
    u = yield "u", 1.7159 * tanh(0.666 * u_pre)  # LeCun's tanh
    g1_pre = yield "g1_pre", p.W_g1 @ u + p.b_g1
    g1 = yield "g1", tanh(g1_pre)
    g2_pre = yield "g2_pre", p.W_g2 @ u + p.b_g2
    g2 = yield "g2", tanh(g2_pre)
    t_interp_pre = yield "t_interp_pre", p.W_a @ u + p.b_a + p.W_b @ u + p.b_b
    t_interp = yield "t_interp", σ(t_interp_pre)
    yield "h", g1 * (1 - t_interp) + t_interp * g2


HEADS = ("g1", "g2", "a", "b")
CFC = Cell(
    "cfc",
    cfc,
    rows=("",),
    states=("h",),
    own_parameters=(
        Parameter("weight_ih", ("W",), ("backbone", "input")),
        Parameter("weight_hh", ("R",), ("backbone", "hidden")),
        Parameter("bias_ih", ("b",), ("backbone",), "bias"),
        Parameter("weight_u", tuple("W_" + head for head in HEADS), ("hidden", "backbone")),
        Parameter("bias_u", tuple("b_" + head for head in HEADS), ("hidden",), "bias"),
    ),
    sizes={"backbone": "hidden"},
)

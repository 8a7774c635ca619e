"""Cells with less: gates of x alone, no output gate, or each unit by itself.

Written as in :mod:`lstmtui.cells.lstm`.

Shapes: x (batch, input), h and every gate (batch, hidden).
"""

from __future__ import annotations

from lstmtui.cells.cell import Cell, Equations, Parameters, Value
from lstmtui.cells.functions import maximum, relu, tanh, σ
from lstmtui.cells.parameters import Parameter


def mingru(p: Parameters, x: Value, h: Value) -> Equations:
    """Feng et al. 2024 ("Were RNNs All We Needed?"), with the candidate of its log-space form, g(v) > 0."""
    z_pre = yield "z_pre", p.W_z @ x + p.b_z
    z = yield "z", σ(z_pre)
    n_pre = yield "n_pre", p.W_n @ x + p.b_n
    n = yield "n", maximum(n_pre + 0.5, σ(n_pre))  # v + ½ where v ≥ 0, else σ(v)
    yield "h", (1 - z) * h + z * n


def janet(p: Parameters, x: Value, h: Value) -> Equations:
    """Van der Westhuizen & Lasenby 2018 ("The Unreasonable Effectiveness of the Forget Gate"); h is c."""
    f_pre = yield "f_pre", p.W_f @ x + p.R_f @ h + p.b_f
    f = yield "f", σ(f_pre)
    i = yield "i", 1 - σ(f_pre - p.beta)
    g_pre = yield "g_pre", p.W_g @ x + p.R_g @ h + p.b_g
    g = yield "g", tanh(g_pre)
    yield "h", f * h + i * g


def indrnn(p: Parameters, x: Value, h: Value) -> Equations:
    """Li et al. 2018: every unit reads only itself, by a weight of its own; ReLU as in the paper."""
    h_pre = yield "h_pre", p.W @ x + p.w_h * h + p.b
    yield "h", relu(h_pre)


MINGRU = Cell("mingru", mingru, rows=("z", "n"), states=("h",))
JANET = Cell(
    "janet",
    janet,
    rows=("f", "g"),
    states=("h",),
    own_parameters=(Parameter("beta", ("beta",), (), drawn_from=(1.0, 1.0)),),
)
INDRNN = Cell(
    "indrnn",
    indrnn,
    rows=("",),
    states=("h",),
    own_parameters=(Parameter("weight_h", ("w_h",), ("hidden",)),),
)

"""The LSTM with layer normalization: of what comes from x, of what comes from h, and of c where it is shown.

Written as in :mod:`lstmtui.cells.lstm`. Each block of rows is normalized by itself; w_x, w_h and w_n are the
gains, and the bias b is added after normalization.

Shapes: x (batch, input), h, c and every gate (batch, hidden).
"""

from __future__ import annotations

from lstmtui.cells.cell import Cell, Equations, Parameters, Value
from lstmtui.cells.functions import layer_norm, tanh, σ
from lstmtui.cells.parameters import Parameter


def lstm_layernorm(p: Parameters, x: Value, h: Value, c: Value) -> Equations:
    """Ba, Kiros & Hinton 2016 ("Layer Normalization"), each gate normalized by itself; c is kept as it is."""
    f_pre = yield "f_pre", p.w_xf * layer_norm(p.W_f @ x) + p.w_hf * layer_norm(p.R_f @ h) + p.b_f
    f = yield "f", σ(f_pre)
    i_pre = yield "i_pre", p.w_xi * layer_norm(p.W_i @ x) + p.w_hi * layer_norm(p.R_i @ h) + p.b_i
    i = yield "i", σ(i_pre)
    g_pre = yield "g_pre", p.w_xg * layer_norm(p.W_g @ x) + p.w_hg * layer_norm(p.R_g @ h) + p.b_g
    g = yield "g", tanh(g_pre)
    c = yield "c", f * c + i * g
    o_pre = yield "o_pre", p.w_xo * layer_norm(p.W_o @ x) + p.w_ho * layer_norm(p.R_o @ h) + p.b_o
    o = yield "o", σ(o_pre)
    yield "h", o * tanh(p.w_n * layer_norm(c) + p.b_n)


ROWS = ("i", "f", "g", "o")
LSTM_LAYERNORM = Cell(
    "lstm_layernorm",
    lstm_layernorm,
    rows=ROWS,
    states=("h", "c"),
    own_parameters=(
        Parameter("weight_ln_x", tuple("w_x" + row for row in ROWS), ("hidden",), drawn_from=(1.0, 1.0)),
        Parameter("weight_ln_h", tuple("w_h" + row for row in ROWS), ("hidden",), drawn_from=(1.0, 1.0)),
        Parameter("weight_ln_c", ("w_n",), ("hidden",), drawn_from=(1.0, 1.0)),
        Parameter("bias_ln_c", ("b_n",), ("hidden",), "bias", drawn_from=(0.0, 0.0)),
    ),
)

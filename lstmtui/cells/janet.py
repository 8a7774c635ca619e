"""An LSTM with a forget gate and no other: h is c, and what is written follows from what is forgotten.

Written as in :mod:`lstmtui.cells.lstm`; beta is one number.

Shapes: x (batch, input), h and every gate (batch, hidden).
"""

from __future__ import annotations

from lstmtui.cells.cell import Cell, Equations, Parameters, Value
from lstmtui.cells.functions import tanh, σ
from lstmtui.cells.parameters import Parameter


def janet(p: Parameters, x: Value, h: Value) -> Equations:
    """Van der Westhuizen & Lasenby 2018 ("The Unreasonable Effectiveness of the Forget Gate"); h is c."""
    f_pre = yield "f_pre", p.W_f @ x + p.R_f @ h + p.b_f
    f = yield "f", σ(f_pre)
    i = yield "i", 1 - σ(f_pre - p.beta)
    g_pre = yield "g_pre", p.W_g @ x + p.R_g @ h + p.b_g
    g = yield "g", tanh(g_pre)
    yield "h", f * h + i * g


BETA = Parameter("beta", ("beta",), (), drawn_from=(1.0, 1.0))
JANET = Cell("janet", janet, rows=("f", "g"), states=("h",), own_parameters=(BETA,))

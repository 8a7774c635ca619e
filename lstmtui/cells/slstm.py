"""The sLSTM: exponential gates, a normalizer n beside c, and a stabilizer m that keeps both small.

Written as in :mod:`lstmtui.cells.lstm`. R is block-diagonal: the units of one head see each other and no
others. m is the logarithm of what c and n are divided by; h shows c / n, from which it falls out. Before the
first timestep nothing was written: n is 0, and m so low that whatever was kept then is nothing.

Shapes: x (batch, input), h, c, n, m and every gate (batch, hidden).
"""

from __future__ import annotations

from lstmtui.cells.cell import Cell, Equations, Parameters, Value
from lstmtui.cells.functions import exp, logsigmoid, maximum, tanh, σ
from lstmtui.cells.parameters import Parameter


def slstm(p: Parameters, x: Value, h: Value, c: Value, n: Value, m: Value) -> Equations:
    """Beck et al. 2024 ("xLSTM: Extended Long Short-Term Memory"), with its heads and its stabilizer."""
    f_pre = yield "f_pre", p.W_f @ x + p.R_f @ h + p.b_f
    log_f = yield "log_f", logsigmoid(f_pre)
    i_pre = yield "i_pre", p.W_i @ x + p.R_i @ h + p.b_i
    old_m = m
    m = yield "m", maximum(log_f + old_m, i_pre)
    f = yield "f", exp(log_f + old_m - m)
    i = yield "i", exp(i_pre - m)
    z_pre = yield "z_pre", p.W_z @ x + p.R_z @ h + p.b_z
    z = yield "z", tanh(z_pre)
    c = yield "c", f * c + i * z
    n = yield "n", f * n + i
    o_pre = yield "o_pre", p.W_o @ x + p.R_o @ h + p.b_o
    o = yield "o", σ(o_pre)
    yield "h", o * (c / n)


ROWS = ("i", "f", "z", "o")
"""In the order of the authors' code."""
BLOCKS = Parameter(
    "weight_hh_blocks", tuple("R_" + row for row in ROWS), ("heads", "hidden/heads", "hidden/heads")
)
SLSTM = Cell(
    "slstm",
    slstm,
    rows=ROWS,
    states=("h", "c", "n", "m"),
    own_parameters=(BLOCKS,),
    initial={"m": -10_000.0},  # e^m is 0 in every dtype, and float16 still has it
    sizes={"heads": 1},
)

"""The gated recurrent unit, with its reset gate after or before the recurrent product.

Written as in :mod:`lstmtui.cells.lstm`. The two biases of n act in different places, so `b_n` is
PyTorch's `bias_ih` alone and `b′_n` (`p.bh_n`) its `bias_hh`; `b_r` and `b_z` are the two added.

Shapes: x (batch, input), h and every gate (batch, hidden).
"""

from __future__ import annotations

from lstmtui.cells.cell import Cell, Equations, Parameters, Value
from lstmtui.cells.functions import tanh, σ


def gru(p: Parameters, x: Value, h: Value) -> Equations:
    """Cho et al. 2014 v2 with the reset gate after the recurrent product, as in `torch.nn.GRU`."""
    r_pre = yield "r_pre", p.W_r @ x + p.R_r @ h + p.b_r
    r = yield "r", σ(r_pre)
    z_pre = yield "z_pre", p.W_z @ x + p.R_z @ h + p.b_z
    z = yield "z", σ(z_pre)
    n_pre = yield "n_pre", p.W_n @ x + p.b_n + r * (p.R_n @ h + p.bh_n)
    n = yield "n", tanh(n_pre)
    yield "h", (1 - z) * n + z * h


def gru_reset_before(p: Parameters, x: Value, h: Value) -> Equations:
    """Cho et al. 2014 v1, Keras's `reset_after=False`: the reset gate acts on h itself."""
    r_pre = yield "r_pre", p.W_r @ x + p.R_r @ h + p.b_r
    r = yield "r", σ(r_pre)
    z_pre = yield "z_pre", p.W_z @ x + p.R_z @ h + p.b_z
    z = yield "z", σ(z_pre)
    n_pre = yield "n_pre", p.W_n @ x + p.b_n + p.R_n @ (r * h) + p.bh_n
    n = yield "n", tanh(n_pre)
    yield "h", (1 - z) * n + z * h


GRU = Cell("gru", gru, rows=("r", "z", "n"), states=("h",))
GRU_RESET_BEFORE = Cell("gru_reset_before", gru_reset_before, rows=("r", "z", "n"), states=("h",))

"""The minimal LSTM: gates of x alone, which are divided by their sum.

Written as in :mod:`lstmtui.cells.lstm`; the candidate is that of :mod:`lstmtui.cells.mingru`.

Shapes: x (batch, input), h and every gate (batch, hidden).
"""

from __future__ import annotations

from lstmtui.cells.cell import Cell, Equations, Parameters, Value
from lstmtui.cells.functions import maximum, σ


def minlstm(p: Parameters, x: Value, h: Value) -> Equations:
    """Feng et al. 2024 ("Were RNNs All We Needed?"), with the candidate of its log-space form, g(v) > 0."""
    f_pre = yield "f_pre", p.W_f @ x + p.b_f
    f = yield "f", σ(f_pre)
    i_pre = yield "i_pre", p.W_i @ x + p.b_i
    i = yield "i", σ(i_pre)
    f_share = yield "f_share", f / (f + i)
    i_share = yield "i_share", i / (f + i)
    g_pre = yield "g_pre", p.W_g @ x + p.b_g
    g = yield "g", maximum(g_pre + 0.5, σ(g_pre))
    yield "h", f_share * h + i_share * g


MINLSTM = Cell("minlstm", minlstm, rows=("f", "i", "g"), states=("h",))

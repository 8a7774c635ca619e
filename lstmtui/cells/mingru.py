"""The minimal GRU: its gate and its candidate see x alone, so that all of time could be computed at once.

Written as in :mod:`lstmtui.cells.lstm`.

Shapes: x (batch, input), h and every gate (batch, hidden).
"""

from __future__ import annotations

from lstmtui.cells.cell import Cell, Equations, Parameters, Value
from lstmtui.cells.functions import maximum, σ


def mingru(p: Parameters, x: Value, h: Value) -> Equations:
    """Feng et al. 2024 ("Were RNNs All We Needed?"), with the candidate of its log-space form, g(v) > 0."""
    z_pre = yield "z_pre", p.W_z @ x + p.b_z
    z = yield "z", σ(z_pre)
    n_pre = yield "n_pre", p.W_n @ x + p.b_n
    n = yield "n", maximum(n_pre + 0.5, σ(n_pre))  # v + ½ where v ≥ 0, else σ(v)
    yield "h", (1 - z) * h + z * n


MINGRU = Cell("mingru", mingru, rows=("z", "n"), states=("h",))

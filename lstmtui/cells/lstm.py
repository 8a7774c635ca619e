"""The LSTM family: with a forget gate, with peepholes, with tied gates.

Every cell is a generator: it yields ``name, value`` in order of evaluation and goes on with what it is
sent back. `p` holds the parameters of one layer and direction: `W_f` acts on the input x of this
timestep, `R_f` on the h of the timestep before, `b_f` is the bias (PyTorch's two biases added), `w_cf`
a peephole, and `project` the projection W_hr (the identity where there is none).

Shapes: x (batch, input), h (batch, projected or hidden), c and every gate (batch, hidden).
"""

from __future__ import annotations

from lstmtui.cells.cell import Cell, Equations, Parameters, Value
from lstmtui.cells.functions import tanh, σ


def lstm(p: Parameters, x: Value, h: Value, c: Value) -> Equations:
    """Hochreiter & Schmidhuber 1997 with the forget gate of Gers 2000, as in `torch.nn.LSTM`."""
    f_pre = yield "f_pre", p.W_f @ x + p.R_f @ h + p.b_f
    f = yield "f", σ(f_pre)
    i_pre = yield "i_pre", p.W_i @ x + p.R_i @ h + p.b_i
    i = yield "i", σ(i_pre)
    g_pre = yield "g_pre", p.W_g @ x + p.R_g @ h + p.b_g
    g = yield "g", tanh(g_pre)
    c = yield "c", f * c + i * g
    o_pre = yield "o_pre", p.W_o @ x + p.R_o @ h + p.b_o
    o = yield "o", σ(o_pre)
    yield "h", p.project(o * tanh(c))


def lstm_peephole(p: Parameters, x: Value, h: Value, c: Value) -> Equations:
    """Gers, Schraudolph & Schmidhuber 2002; the output peephole sees the new c. Gradients are exact."""
    f_pre = yield "f_pre", p.W_f @ x + p.R_f @ h + p.b_f + p.w_cf * c
    f = yield "f", σ(f_pre)
    i_pre = yield "i_pre", p.W_i @ x + p.R_i @ h + p.b_i + p.w_ci * c
    i = yield "i", σ(i_pre)
    g_pre = yield "g_pre", p.W_g @ x + p.R_g @ h + p.b_g
    g = yield "g", tanh(g_pre)
    c = yield "c", f * c + i * g
    o_pre = yield "o_pre", p.W_o @ x + p.R_o @ h + p.b_o + p.w_co * c
    o = yield "o", σ(o_pre)
    yield "h", p.project(o * tanh(c))


def lstm_coupled(p: Parameters, x: Value, h: Value, c: Value) -> Equations:
    """Tied gates f = 1 − i, the CIFG of Greff et al. 2017 ("LSTM: A Search Space Odyssey")."""
    i_pre = yield "i_pre", p.W_i @ x + p.R_i @ h + p.b_i
    i = yield "i", σ(i_pre)
    f = yield "f", 1 - i
    g_pre = yield "g_pre", p.W_g @ x + p.R_g @ h + p.b_g
    g = yield "g", tanh(g_pre)
    c = yield "c", f * c + i * g
    o_pre = yield "o_pre", p.W_o @ x + p.R_o @ h + p.b_o
    o = yield "o", σ(o_pre)
    yield "h", p.project(o * tanh(c))


LSTM = Cell("lstm", lstm, rows=("i", "f", "g", "o"), states=("h", "c"))
LSTM_PEEPHOLE = Cell("lstm_peephole", lstm_peephole, rows=("i", "f", "g", "o"), states=("h", "c"))
LSTM_COUPLED = Cell("lstm_coupled", lstm_coupled, rows=("i", "g", "o"), states=("h", "c"))

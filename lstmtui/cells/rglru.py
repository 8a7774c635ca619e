"""The real-gated linear recurrent unit of Griffin, after the linear layer that stands before it.

Written as in :mod:`lstmtui.cells.lstm`. The gates are block-diagonal: the units of one head see each other.
`s` is one number for all units: 0 before the first timestep and 1 from there on. A sequence therefore begins
with its first input as it is, undamped; a state s of 0 put in later begins anew, whatever h is. The
derivative of the root is not clipped as the authors clip it: it is infinite where a is 1.

Shapes: x (batch, input), h and every gate (batch, hidden), s (batch, 1).
"""

from __future__ import annotations

from lstmtui.cells.cell import Cell, Equations, Parameters, Value
from lstmtui.cells.functions import exp, softplus, sqrt, σ
from lstmtui.cells.parameters import Parameter


def rglru(p: Parameters, x: Value, h: Value, s: Value) -> Equations:
    """De et al. 2024 ("Griffin: Mixing Gated Linear Recurrences with Local Attention"), with its reset."""
    v = yield "v", p.W @ x + p.b
    r_pre = yield "r_pre", p.W_r @ v + p.b_r
    r = yield "r", σ(r_pre)
    i_pre = yield "i_pre", p.W_i @ v + p.b_i
    i = yield "i", σ(i_pre)
    log_a = yield "log_a", -(8 * softplus(p.decay) * r)
    a = yield "a", s * exp(log_a)
    yield "h", a * h + sqrt(1 - a * a) * (i * v)
    yield "s", 1


GATES = ("heads", "hidden/heads", "hidden/heads")
RGLRU = Cell(
    "rglru",
    rglru,
    rows=("",),
    states=("h", "s"),
    own_parameters=(
        Parameter("weight_gates", ("W_r", "W_i"), GATES),
        Parameter("bias_gates", ("b_r", "b_i"), ("hidden",), "bias"),
        # An open gate keeps 0.9 to 0.999 of h, as the authors begin.
        Parameter("decay", ("decay",), ("hidden",), drawn_from=(-8.99, -4.32)),
    ),
    state_sizes={"s": 1},
    sizes={"heads": 1},
)

"""The independently recurrent network: each unit reads itself and no other.

Written as in :mod:`lstmtui.cells.rnn`.

Shapes: x (batch, input), h (batch, hidden).
"""

from __future__ import annotations

from lstmtui.cells.cell import Cell, Equations, Parameters, Value
from lstmtui.cells.functions import relu
from lstmtui.cells.parameters import Parameter


def indrnn(p: Parameters, x: Value, h: Value) -> Equations:
    """Li et al. 2018: every unit reads only itself, by a weight of its own; ReLU as in the paper."""
    h_pre = yield "h_pre", p.W @ x + p.w_h * h + p.b
    yield "h", relu(h_pre)


WEIGHT = Parameter("weight_h", ("w_h",), ("hidden",))
INDRNN = Cell("indrnn", indrnn, rows=("",), states=("h",), own_parameters=(WEIGHT,))

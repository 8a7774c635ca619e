"""The plain recurrent network of Elman 1990, with tanh or ReLU, as in `torch.nn.RNN`.

Written as in :mod:`lstmtui.cells.lstm`; with a single block of rows the parameters are plain W, R and b.

Shapes: x (batch, input), h (batch, hidden).
"""

from __future__ import annotations

from lstmtui.cells.cell import Cell, Equations, Parameters, Value
from lstmtui.cells.functions import relu, tanh


def rnn_tanh(p: Parameters, x: Value, h: Value) -> Equations:
    """Elman 1990, as in `torch.nn.RNN(nonlinearity="tanh")`."""
    h_pre = yield "h_pre", p.W @ x + p.R @ h + p.b
    yield "h", tanh(h_pre)


def rnn_relu(p: Parameters, x: Value, h: Value) -> Equations:
    """Le, Jaitly & Hinton 2015, as in `torch.nn.RNN(nonlinearity="relu")`."""
    h_pre = yield "h_pre", p.W @ x + p.R @ h + p.b
    yield "h", relu(h_pre)


RNN_TANH = Cell("rnn_tanh", rnn_tanh, rows=("",), states=("h",))
RNN_RELU = Cell("rnn_relu", rnn_relu, rows=("",), states=("h",))

"""A recurrent cell that no library has, defined by its equations; `own-cell.toml` runs it.

Every unit forgets at a rate of its own, `decay`, whatever it sees. `lstmtui help python` says what else a
cell may be made of.
"""

from __future__ import annotations

from typing import Any

import torch

import lstmtui
from lstmtui.cells.functions import sigmoid, tanh


def fading(p: Any, x: Any, h: Any, c: Any) -> Any:
    """A cell of our own: each unit fades at its own rate, and a gate says when it is written to."""
    i_pre = yield "i_pre", p.W_i @ x + p.b_i
    i = yield "i", sigmoid(i_pre)
    g = yield "g", tanh(p.W_g @ x)
    c = yield "c", p.decay * c + i * g
    yield "h", tanh(c)


DECAY = lstmtui.Parameter("decay", ("decay",), ("hidden",))
FADING = lstmtui.Cell("fading", fading, rows=("i", "g"), states=("h", "c"), own_parameters=(DECAY,))


def model(decay: list[float]) -> lstmtui.Recurrent:
    """A layer of one unit for each rate, which writes down a pulse of 1 and nothing else."""
    units = len(decay)
    layer = lstmtui.Recurrent(FADING, 1, units)
    layer.load_state_dict(
        {
            "weight_ih_l0": torch.tensor([[8.0]] * units + [[2.0]] * units),
            "bias_ih_l0": torch.full((units,), -4.0),
            "decay_l0": torch.tensor(decay),
        }
    )
    return layer

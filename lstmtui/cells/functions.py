"""The squashing functions of the cells, for tensors and for formula terms alike.

Each calls the method of the same meaning on its argument, so an equation written with them runs on a
``torch.Tensor`` (numbers), on a :class:`lstmtui.cells.formula.Term` (the formula on screen), or on any
other type that has these methods. Nothing here imports torch.
"""

from __future__ import annotations

from typing import Any


def σ(value: Any) -> Any:
    """The logistic function 1 / (1 + exp(−value)), into (0, 1)."""
    return value.sigmoid()


def tanh(value: Any) -> Any:
    """The hyperbolic tangent, into (−1, 1)."""
    return value.tanh()


def relu(value: Any) -> Any:
    """max(0, value)."""
    return value.relu()

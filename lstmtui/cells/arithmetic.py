"""The values of terms: the operations of the cells on numbers and arrays, and their slopes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def _sigmoid(v: Any) -> Any:
    return 1 / (1 + np.exp(-v))  # keeps its digits where it almost vanishes


def _relu(v: Any) -> Any:
    return np.maximum(v, 0)


OPERATIONS: dict[str, Callable[..., Any]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "sigmoid": _sigmoid,
    "tanh": np.tanh,
    "relu": _relu,
}
"""What a term does with the values of its parts, by its kind."""

SLOPES: dict[str, Callable[[Any], Any]] = {
    "sigmoid": lambda y: y * (1 - y),
    "tanh": lambda y: 1 - y * y,
    "relu": lambda y: np.where(np.isnan(y), y, y > 0),
}
"""The derivative of each squashing function, from what it gives."""

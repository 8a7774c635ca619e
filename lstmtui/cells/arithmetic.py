"""The values of terms: the operations of the cells on numbers and arrays, and their slopes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

EPSILON = 1e-5
"""What layer normalization adds to the variance, as `torch.nn.LayerNorm` does."""


def _sigmoid(v: Any) -> Any:
    return 1 / (1 + np.exp(-v))  # keeps its digits where it almost vanishes


def _relu(v: Any) -> Any:
    return np.maximum(v, 0)


def _layer_norm(v: Any) -> Any:
    away = v - np.mean(v, axis=-1, keepdims=True)
    return away / np.sqrt(np.mean(away * away, axis=-1, keepdims=True) + EPSILON)


OPERATIONS: dict[str, Callable[..., Any]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "neg": np.negative,
    "sigmoid": _sigmoid,
    "tanh": np.tanh,
    "relu": _relu,
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "abs": np.abs,
    "softplus": lambda v: np.logaddexp(v, 0),
    "logsigmoid": lambda v: -np.logaddexp(-v, 0),
    "max": np.maximum,
    "min": np.minimum,
    "clamp": np.clip,
    "<": lambda v, w: np.where(np.isnan(v + w), v + w, v < w),
    "layer_norm": _layer_norm,
}
"""What a term does with the values of its parts, by its kind."""

SLOPES: dict[str, Callable[..., Any]] = {
    "sigmoid": lambda y, _: y * (1 - y),
    "tanh": lambda y, _: 1 - y * y,
    "relu": lambda y, _: np.where(np.isnan(y), y, y > 0),
    "exp": lambda y, _: y,
    "log": lambda _, v: np.divide(1.0, v),
    "sqrt": lambda y, _: np.divide(0.5, y),
    "abs": lambda _, v: np.sign(v),
    "softplus": lambda y, _: -np.expm1(-y),
    "logsigmoid": lambda y, _: -np.expm1(y),
    "clamp": lambda _, v, low, high: np.where(np.isnan(v), v, (v >= low) & (v <= high)),
    # Of two equal values each has half the slope, as in torch.maximum; a constant has none of it.
    "max": lambda _, v, w: np.where(np.isnan(v + w), v + w, (v > w) + 0.5 * (v == w)),
    "min": lambda _, v, w: np.where(np.isnan(v + w), v + w, (v < w) + 0.5 * (v == w)),
}
"""The derivative of a function of one unit by its first part, from what it gives and its parts."""


def slope(kind: str, result: Any, parts: tuple[Any, ...], position: int, constant: bool = False) -> Any:
    """The derivative of a function by one of its parts.

    Args:
        kind: which function.
        result: what it gives.
        parts: the values of its parts.
        position: of the part.
        constant: whether the other part of max and min is a number, as of a clamp with one bound.
    """
    if kind in ("max", "min"):
        own, other = parts[position], parts[1 - position]
        if constant:
            return np.where(np.isnan(own), own, own >= other if kind == "max" else own <= other)
        return SLOPES[kind](result, own, other)
    return SLOPES[kind](result, *parts)


def back_through_layer_norm(gradient: Any, v: Any) -> Any:
    """What a gradient by the result of layer normalization is by its operand.

    Args:
        gradient: (…, units).
        v: the operand, (…, units).
    """
    away = v - np.mean(v, axis=-1, keepdims=True)
    scale = np.sqrt(np.mean(away * away, axis=-1, keepdims=True) + EPSILON)
    y = away / scale
    along = np.mean(gradient * y, axis=-1, keepdims=True)
    return (gradient - np.mean(gradient, axis=-1, keepdims=True) - y * along) / scale


def dense(matrix: Any) -> Any:
    """A matrix as it is; a block-diagonal one, (blocks, rows, columns), with the zeros around its blocks."""
    if np.ndim(matrix) != 3:
        return matrix
    blocks, rows, columns = np.shape(matrix)
    whole = np.zeros((blocks * rows, blocks * columns), np.asarray(matrix).dtype)
    for at, block in enumerate(matrix):
        whole[at * rows : (at + 1) * rows, at * columns : (at + 1) * columns] = block
    return whole

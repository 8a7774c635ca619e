"""What operators and functions compute: on float64, by IEEE 754, without warnings, NaN included.

Every result is the same bit for bit whether a timestep is evaluated alone or in a block of many.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lstmtui.arrays import Array, norm

Operation = Callable[..., Array]


def number(values: Array) -> Array:
    """The values as float64; a truth is 1 or 0."""
    return values.astype(np.float64, copy=False)


def truth(values: Array) -> Array:
    """The values as bool: true where they differ from 0, so that NaN is true."""
    return values if values.dtype == np.bool_ else values != 0


def compared(sign: str, left: Array, right: Array) -> Array:
    """Where left and right compare so."""
    return np.asarray(_COMPARISONS[sign](number(left), number(right)))


def elementwise(name: str, operands: list[Array]) -> Array:
    """An operator or a function of operands that broadcast against each other."""
    if name in _EXACT:
        return np.asarray(_EXACT[name](operands[0]))
    if name in _LOGICAL:
        result = truth(operands[0])
        for operand in operands[1:]:
            result = _LOGICAL[name](result, truth(operand))
        return result
    if name in _UNARY:
        return np.asarray(_UNARY[name](number(operands[0])))
    result = number(operands[0])
    for operand in operands[1:]:
        result = np.asarray(_ARITHMETIC[name](result, number(operand)))
    return result


def reduced(name: str, values: Array) -> Array:
    """One value made of all units, which are the last axis; it is kept with size 1."""
    return np.asarray(_REDUCTIONS[name](values))


def _absolute(values: Array) -> Array:
    # Exact in the precision of the trace, so that a float32 trace is read only once in float32.
    return np.abs(number(values) if values.dtype == np.bool_ else values)


def _steady(function: Operation) -> Operation:
    """The function, computed in one way for any number of values.

    Numpy takes another path, with other rounding, for a single value and for values that are repeated.
    """

    def computed(*operands: Array) -> Array:
        shape = np.broadcast_shapes(*(operand.shape for operand in operands))
        flat = [np.broadcast_to(operand, shape).ravel() for operand in operands]
        if flat[0].size == 1:
            return np.asarray(function(*(np.repeat(values, 2) for values in flat))[:1].reshape(shape))
        return np.asarray(function(*flat).reshape(shape))

    return computed


def _exact_extreme(function: Operation) -> Operation:
    """max or min over the units, in the precision of the trace."""

    def computed(values: Array) -> Array:
        values = number(values) if values.dtype == np.bool_ else values
        return np.asarray(function(values, axis=-1, keepdims=True))

    return computed


_EXACT: dict[str, Operation] = {
    "abs": _absolute,
    "isnan": np.isnan,
    "isfinite": np.isfinite,
    "not": lambda values: ~truth(values),
}
_LOGICAL: dict[str, Operation] = {"and": np.logical_and, "or": np.logical_or}
_COMPARISONS: dict[str, Operation] = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
}
_UNARY: dict[str, Operation] = {
    "negative": np.negative,
    "positive": np.positive,
    "sqrt": np.sqrt,
    "log": _steady(np.log),
    "exp": _steady(np.exp),
}
_ARITHMETIC: dict[str, Operation] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "//": np.floor_divide,
    "%": np.remainder,
    "**": _steady(np.power),
    "min": np.minimum,
    "max": np.maximum,
}
_REDUCTIONS: dict[str, Operation] = {
    "norm": lambda values: norm(number(values))[..., None],
    "mean": lambda values: np.mean(number(values), axis=-1, keepdims=True),
    "sum": lambda values: np.sum(number(values), axis=-1, keepdims=True),
    "min": _exact_extreme(np.min),
    "max": _exact_extreme(np.max),
    "any": lambda values: np.any(truth(values), axis=-1, keepdims=True),
    "all": lambda values: np.all(truth(values), axis=-1, keepdims=True),
    "argmin": lambda values: number(np.argmin(values, axis=-1, keepdims=True)),
    "argmax": lambda values: number(np.argmax(values, axis=-1, keepdims=True)),
    "len": lambda values: np.full((1, 1), float(values.shape[-1])),
}

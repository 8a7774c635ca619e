"""What a derivative becomes on its way back through one operation of an equation, at any timesteps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lstmtui.arrays import Array
from lstmtui.cells.arithmetic import back_through_layer_norm, dense, slope
from lstmtui.cells.chain_rule import Passage
from lstmtui.cells.terms import Term


def passed(values: Array, passage: Passage, value_of: Callable[[Term], Array]) -> Array:
    """A derivative, (…, units), before the operation.

    Args:
        values: the derivative behind it.
        passage: the operation.
        value_of: the values of a term, (…, units), or of a matrix, (rows, columns).
    """
    kind, term, position = passage
    if kind == "minus":
        return np.asarray(-values)
    if kind == "matrix":
        matrix = dense(value_of(term))
        # As one product: of more axes numpy makes as many as there are timesteps.
        product = values.reshape(-1, values.shape[-1]) @ matrix
        return np.asarray(product.reshape(*values.shape[:-1], matrix.shape[-1]))
    if kind == "over":
        return np.asarray(values / value_of(term))
    if kind == "layer_norm":
        return np.asarray(back_through_layer_norm(values, value_of(term.parts[0])))
    if kind == "slope":
        return np.asarray(values * slope_of(term, position, value_of))
    return np.asarray(values * value_of(term))


def fitted(values: Array, units: int) -> Array:
    """What comes back to a quantity of so many units: one that is a number for all units gets their sum."""
    return values if values.shape[-1] == units else np.asarray(values.sum(axis=-1, keepdims=True))


def slope_of(term: Term, position: int, value_of: Callable[[Term], Array]) -> Array:
    """The derivative of a function of one unit by one of its parts."""
    parts = tuple(value_of(part) for part in term.parts)
    is_bound = any(part.kind == "number" for part in term.parts)
    return np.asarray(slope(term.kind, value_of(term), parts, position, is_bound))

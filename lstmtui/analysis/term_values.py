"""A term of a cell's equations as a function of what a run recorded."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from lstmtui.arrays import Array
from lstmtui.cells import Cell
from lstmtui.cells.keeping import names_in
from lstmtui.cells.terms import Term, evaluate, symbols_in
from lstmtui.errors import UserError
from lstmtui.trace import Layer, Trace


def why_missing(trace: Trace, layer: int) -> str:
    """Why parameters of a layer that are needed are not there."""
    return changed_text(trace.layers[layer]) or "not in this trace"


def changed_text(layer: Layer) -> str:
    """From which timestep on the parameters of a layer are not kept; empty if they all are."""
    t = layer.parameters_until
    return f"changed at t={t}, and only those from before are kept" if t else ""


def parameter_block(symbol: str, cell: Cell, parameters: Mapping[str, Array], reader: str, why: str) -> Array:
    """What a symbol of the equations stands for, in float64; two biases are added.

    Args:
        symbol: W_f, b_f.
        cell: whose equations.
        parameters: by base name.
        reader: what needs it, in the plural, for the message.
        why: it would be missing.

    Raises:
        UserError: the trace does not hold the parameter.
    """
    blocks = cell.blocks[symbol]
    parts = [b.of(parameters[b.parameter.name]) for b in blocks if b.parameter.name in parameters]
    if not parts:
        raise UserError(f"{blocks[0].parameter.name}: {why}; {reader} need it")
    return np.asarray(sum(np.asarray(part, np.float64) for part in parts))


def function_of(
    term: Term, trace: Trace, layer: int, direction: str
) -> tuple[tuple[str, ...], Callable[..., Array]]:
    """The quantities that a term is written with, and the function of their values that it is.

    Raises:
        UserError: the trace does not hold a parameter that the term is written with.
    """
    cell, names = trace.cell(layer), names_in(term)
    every = trace.layer_parameters(layer, direction)
    symbols = {s.text for s in symbols_in(term) if s.role == "parameter"}
    why = why_missing(trace, layer)
    parameters = {
        symbol: parameter_block(symbol, cell, every, "half-lives and verdicts", why) for symbol in symbols
    }

    def function(*values: Array) -> Array:
        by_name = {**parameters, **dict(zip(names, values, strict=True))}
        return np.asarray(evaluate(term, lambda symbol: by_name[symbol.text]))

    return names, function

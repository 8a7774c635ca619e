"""Traces made of random numbers: cheap at any size, for tests and benchmarks of what shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from lstmtui.cells import CELLS
from lstmtui.trace import Header, Layer, Trace
from lstmtui.trace.keys import array_key

Array = npt.NDArray[Any]


def synthetic(
    cell: str = "lstm",
    steps: int = 40,
    hidden_size: int = 6,
    *,
    layers: int = 1,
    bidirectional: bool = False,
    batch: int = 1,
    input_size: int = 1,
    proj_size: int = 0,
    lengths: Sequence[int] | None = None,
    seed: int = 0,
    extras: dict[str, Array] | None = None,
    **header: Any,
) -> Trace:
    """A trace whose values have the right shapes and ranges, but not the cell's equations.

    Args:
        cell: a name in `lstmtui.cells.CELLS`.
        steps: T.
        hidden_size: H.
        layers: recurrent layers, each like the first but for its input.
        bidirectional: both directions in every layer.
        batch: B.
        input_size: of the first layer.
        proj_size: the size of h, where the cell projects.
        lengths: the timesteps of each sequence.
        seed: of the random numbers.
        extras: more arrays, such as y, target and tokens.
        header: any field of `Header`.
    """
    stack = []
    for index in range(layers):
        size = input_size if index == 0 else stack[-1].size("h") * (1 + bidirectional)
        stack.append(Layer(cell, size, hidden_size, proj_size, bidirectional, index=index, parameters={}))
    random = np.random.default_rng(seed)
    arrays: dict[str, Array] = {}
    named = tuple(_with_parameters(layer, arrays, random) for layer in stack)
    for index, layer in enumerate(named):
        for direction in layer.directions:
            arrays |= _layer_arrays(layer, index, direction, (steps, batch), random)
    if lengths is not None:
        arrays["lengths"] = np.asarray(lengths)
    about: dict[str, Any] = {
        "name": cell.upper(),
        "loss": 0.0123,
        "parity": 1.2e-7,
        "title": "Random numbers",
    } | header
    return editable(
        Trace(Header(layers=named, steps=steps, batch=batch, **about), {}), arrays | (extras or {})
    )


def editable(trace: Trace, arrays: dict[str, Array]) -> Trace:
    """The trace with arrays that a test may write into; those of a recorded one are read-only."""
    trace.arrays = arrays
    return trace


def _with_parameters(layer: Layer, arrays: dict[str, Array], random: np.random.Generator) -> Layer:
    """The layer with names for its parameters, whose values go to `arrays`."""
    from dataclasses import replace

    shapes = layer.layout.shapes_of(0)
    names = {}
    for direction in layer.directions:
        suffix = f"_l{layer.index}" + ("_reverse" if direction == "backward" else "")
        names[direction] = {base: base + suffix for base in shapes}
        for base, shape in shapes.items():
            arrays[f"parameters/{base}{suffix}"] = random.normal(size=shape).astype(np.float32)
    return replace(layer, parameters=names)


def _layer_arrays(
    layer: Layer, index: int, direction: str, shape: tuple[int, int], random: np.random.Generator
) -> dict[str, Array]:
    """Every quantity and derivative; what has no range of its own shares one array, for memory."""
    cell = CELLS[layer.cell]
    plain = random.normal(size=(*shape, max(layer.input_size, layer.hidden_size))).astype(np.float32)
    made: dict[str, Array] = {}
    for quantity in ("x", *cell.quantities):
        size = layer.size(quantity)
        values = plain[..., :size]
        if quantity in ("f", "i", "o", "r", "z"):
            values = random.random((*shape, size), dtype=np.float32)
        elif quantity in ("h", "g", "n", "c"):
            values = np.tanh(random.normal(size=(*shape, size))).astype(np.float32)
        made[array_key(quantity, index, direction)] = values
        made[array_key("d" + quantity, index, direction)] = plain[..., :size]
    for state in cell.states:
        size = layer.size(state)
        made[array_key("initial/" + state, index, direction)] = np.zeros((shape[1], size), np.float32)
        made[array_key("initial/d" + state, index, direction)] = np.zeros((shape[1], size), np.float32)
    return made

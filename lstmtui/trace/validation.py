"""Checks that the arrays of a trace are those its header promises, before any of them is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lstmtui.trace.header import Header, Layer
from lstmtui.trace.keys import EXTENT, NORMS, array_key, order_key
from lstmtui.trace.lazy_arrays import file_of
from lstmtui.trace.source_validation import source_problems

Shape = tuple[int | None, ...]
"""None where any size will do."""


def shape_problems(header: Header, arrays: Mapping[str, Any]) -> list[str]:
    """What does not fit, in sentences; empty where all is well.

    Args:
        header: what the trace says of itself.
        arrays: {key: {"shape": [...], "dtype": ...}}, as in `trace.json`.
    """
    if header.steps < 1 or header.batch < 1 or not header.layers:
        return ["it has no timesteps, no sequences or no layers"]
    if problems := source_problems(header):
        return problems
    shapes = {key: _shape_of(entry) for key, entry in arrays.items()}
    problems = [f"an array is named {key!r}" for key in shapes if _is_unsafe(key)]
    for key, expected in {**_run_shapes(header), **_other_shapes(header)}.items():
        if key in shapes and not _fits(shapes[key], expected):
            problems.append(f"{key} has shape {shapes[key]}, not {_written(expected)}")
    return problems


def _run_shapes(header: Header) -> dict[str, Shape]:
    """x and each quantity of each layer, the states before each timestep and before the first."""
    steps, batch = header.steps, header.batch
    shapes: dict[str, Shape] = {}
    for index, layer in enumerate(header.layers):
        cell = layer.layout.cell
        for direction in layer.directions:
            for quantity in layer.quantities:
                for name in (quantity, "d" + quantity):
                    shapes[array_key(name, index, direction)] = (steps, batch, layer.size(quantity))
            shapes[array_key("reads", index, direction)] = (steps, batch)
            for state in cell.states:
                shapes[array_key("before/" + state, index, direction)] = (steps, batch, layer.size(state))
                for name in (state, "d" + state):
                    key = array_key("initial/" + name, index, direction)
                    shapes[key] = (batch, layer.size(state))
        shapes |= _source_shapes(layer, index, steps, batch)
    return shapes


def _source_shapes(layer: Layer, index: int, steps: int, batch: int) -> dict[str, Shape]:
    """What only a run by source has: where names are bound, their inner steps, constants."""
    shapes: dict[str, Shape] = {}
    for variable in () if layer.source is None else layer.source.variables:
        name, key = variable.name, f"{index}/forward"
        shapes |= {f"{key}/bound/{name}": (steps,), f"{key}/bound/d{name}": (steps,)}
        shapes[f"{key}/inner_count/{name}"] = (steps,)
        inner = (steps, variable.inner_steps, batch, variable.size)
        shapes |= {f"{key}/inner/{name}": inner, f"{key}/inner/d{name}": inner}
    for constant in () if layer.source is None else layer.source.constants:
        shapes[f"{index}/forward/once/{constant.name}"] = constant.shape
    return shapes


def _other_shapes(header: Header) -> dict[str, Shape]:
    """Outputs, inputs, summaries and parameters."""
    steps, batch = header.steps, header.batch
    shapes: dict[str, Shape] = {
        "y": (steps, batch, None),
        "dy": (steps, batch, None),
        "mask": (steps, batch),
        "tokens": (steps, batch),
        "lengths": (batch,),
    }
    for key in _run_shapes(header):
        shapes |= {NORMS + key: (steps, batch), EXTENT + key: (3,)}
    for index, layer in enumerate(header.layers):
        shapes[f"{index}/lengths"] = (batch,)
        shapes[order_key(index)] = (steps,) if layer.source is None else (len(layer.source.stages), steps)
        sizes = layer.layout.shapes_of(0)
        for direction in layer.directions:
            for base, name in layer.parameters.get(direction, {}).items():
                if base in sizes:
                    shapes |= {f"parameters/{name}": sizes[base]}
                    shapes |= {f"parameter_gradients/{name}": sizes[base]}
    return shapes


def _is_unsafe(key: str) -> bool:
    """Whether the array's file would lie outside of the trace's folder."""
    return bool({"", ".", ".."} & set(file_of(key).split("/")))


def _shape_of(entry: Any) -> tuple[int, ...]:
    shape = entry.get("shape") if isinstance(entry, dict) else None
    sizes = shape if isinstance(shape, list) and all(type(n) is int and n >= 0 for n in shape) else [-1]
    return tuple(sizes)


def _fits(shape: tuple[int, ...], expected: Shape) -> bool:
    return len(shape) == len(expected) and all(e in (None, s) for s, e in zip(shape, expected, strict=True))


def _written(expected: Shape) -> str:
    return "(" + ", ".join("any" if size is None else str(size) for size in expected) + ")"

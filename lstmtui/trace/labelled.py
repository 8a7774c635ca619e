"""A trace as an xarray dataset, whose axes have names."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmtui.arrays import Array
from lstmtui.libraries import load_library
from lstmtui.trace.exported_names import exported_names

if TYPE_CHECKING:
    from lstmtui.trace.header import Header, Layer


def to_dataset(
    header: Header, layer: int, direction: str, values: Mapping[str, Array], initial: Mapping[str, Array]
) -> Any:
    """One layer and direction of a run as an `xarray.Dataset`; see `Trace.to_xarray`.

    Args:
        header: of the trace.
        layer: its number, from 0.
        direction: "forward" or "backward".
        values: every quantity and derivative, each (T, B, units).
        initial: the states before the first timestep and their derivatives, each (B, units).
    """
    load_library("xarray")
    xarray = import_module("xarray")
    own = header.layers[layer]
    taken = {"time", "batch", "layer", "direction", *(axis for name in values for axis in _axes(name, own))}
    taken |= {f"initial_{name}" for name in initial}
    names = exported_names(values, taken)  # code may call anything so
    variables: dict[str, Any] = {}
    for name, array in values.items():
        variables[names[name]] = (("time", "batch", *_axes(name, own)), _shaped(name, own, array, 2))
    for name, array in initial.items():
        variables[f"initial_{name}"] = (("batch", *_axes(name, own)), _shaped(name, own, array, 1))
    coordinates: dict[str, Any] = {"layer": layer, "direction": direction, "time": np.arange(header.steps)}
    if layer == 0 and own.source is None and len(header.labels) == own.input_size:
        coordinates["channel"] = list(header.labels)
    attributes = {"name": header.name, "cell": own.cell, "module": header.module, "loss": header.loss}
    return xarray.Dataset(variables, coordinates, attributes)


def _axes(name: str, layer: Layer) -> tuple[str, ...]:
    """What the axes behind the batch count; those of different lengths have different names.

    A variable of recorded code with one axis of 5 has unit_5; S with two has S_0 and S_1.
    """
    quantity = name.removeprefix("d")
    variable = layer.variable(name)
    if variable is not None:
        size, several = variable.size, [f"{variable.name}_{axis}" for axis in range(len(variable.shape))]
        return tuple(several) if len(several) > 1 else (f"unit_{size}",)
    if quantity == "h" and layer.proj_size:
        return ("projection",)
    return ({"x": "channel", "y": "output"}.get(quantity, "unit"),)


def _shaped(name: str, layer: Layer, array: Array, before: int) -> Array:
    """An array with the axes that a quantity has in the code, behind the first ones."""
    shape = layer.shape(name)
    return np.reshape(array, (*array.shape[:before], *shape)) if shape else array

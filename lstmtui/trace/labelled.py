"""A trace as an xarray dataset, whose axes have names."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmtui.arrays import Array
from lstmtui.libraries import load_library

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
    variables: dict[str, Any] = {n: (("time", "batch", _axis(n, own)), array) for n, array in values.items()}
    variables |= {f"initial_{n}": (("batch", _axis(n, own)), array) for n, array in initial.items()}
    coordinates: dict[str, Any] = {"layer": layer, "direction": direction, "time": np.arange(header.steps)}
    if layer == 0 and len(header.labels) == own.input_size:
        coordinates["channel"] = list(header.labels)
    attributes = {"name": header.name, "cell": own.cell, "module": header.module, "loss": header.loss}
    return xarray.Dataset(variables, coordinates, attributes)


def _axis(name: str, layer: Layer) -> str:
    """What the last axis of a quantity counts; those of different lengths have different names."""
    quantity = name.removeprefix("d")
    if quantity == "h" and layer.proj_size:
        return "projection"
    return {"x": "channel", "y": "output"}.get(quantity, "unit")

"""A trace as an xarray dataset, whose axes have names."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmtui.libraries import load_library
from lstmtui.trace.keys import array_key

if TYPE_CHECKING:
    from lstmtui.trace.trace import Trace


def to_xarray(trace: Trace, layer: int, direction: str) -> Any:
    """One layer and direction of a trace as an `xarray.Dataset`; see `Trace.to_xarray`."""
    load_library("xarray")
    xarray = import_module("xarray")
    variables: dict[str, Any] = {
        name: (("time", "batch", _axis(trace, name, layer)), trace.values(name, layer, direction))
        for name in trace.quantities(layer)
    }
    number = layer % len(trace.layers)
    states = trace.cell(layer).states
    for name in (*states, *("d" + state for state in states)):
        if array_key("initial/" + name, number, direction) in trace.arrays:
            initial = trace.initial(name, layer, direction)
            variables[f"initial_{name}"] = (("batch", _axis(trace, name, layer)), initial)
    coordinates: dict[str, Any] = {"layer": number, "direction": direction, "time": np.arange(trace.steps)}
    labels = trace.header.labels
    if number == 0 and len(labels) == trace.layers[0].input_size:
        coordinates["channel"] = list(labels)
    attributes = {
        "name": trace.name,
        "cell": trace.cell(layer).name,
        "module": trace.header.module,
        "loss": trace.loss,
    }
    return xarray.Dataset(variables, coordinates, attributes)


def _axis(trace: Trace, name: str, layer: int) -> str:
    """What the last axis of a quantity counts; those of different lengths have different names."""
    quantity = name.removeprefix("d")
    if quantity == "h" and trace.layers[layer].proj_size:
        return "projection"
    return {"x": "channel", "y": "output"}.get(quantity, "unit")

"""The header and arrays of a scenario's trace before it runs: with them it can be opened while it grows."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from lstmtui.arrays import Array
from lstmtui.capture.to_numpy import numpy_of
from lstmtui.models.model import scenario_name
from lstmtui.scenario import Input, ModelSpec
from lstmtui.trace import Header, Layer
from lstmtui.trace.keys import array_key


def initial_header(spec: ModelSpec, source: Input, device: torch.device, dtype: torch.dtype) -> Header:
    """The sizes of a run; parameters are named as scenario files name them."""
    layout = spec.layout
    layers = tuple(Layer.of(layout, index) for index in range(layout.num_layers))
    name = str(dtype).removeprefix("torch.")
    return Header(spec.name, layers, source.steps, source.batch, name, str(device))


def initial_arrays(spec: ModelSpec, source: Input, model: nn.Module, hx: Any) -> dict[str, Array]:
    """The parameters, the lengths, and the states before the run, by their keys in a trace."""
    arrays = {f"parameters/{scenario_name(n)}": numpy_of(p).copy() for n, p in model.named_parameters()}
    if source.lengths is not None:
        arrays["lengths"] = source.lengths
    layout = spec.layout
    states: tuple[Tensor | None, ...] = hx if isinstance(hx, tuple) else (hx,) * len(layout.cell.states)
    places = layout.places
    for state, values in zip(layout.cell.states, states, strict=True):
        size = layout.state_size(state)
        before = layout.cell.initial.get(state, 0.0)
        shape = len(places), source.batch, size
        whole = torch.full(shape, before, device="cpu") if values is None else values
        for place, part in zip(places, whole, strict=True):
            arrays[array_key("initial/" + state, *place)] = numpy_of(part)
    return arrays

"""The total derivatives of a what-if run, from its values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from lstmtui.arrays import Array
from lstmtui.capture.loss.reads import sizes_of
from lstmtui.capture.progress import Progress
from lstmtui.capture.recording import Recording
from lstmtui.capture.reruns.head_and_loss import HeadAndLoss
from lstmtui.capture.reruns.recorded_stack import RecordedStack, in_order
from lstmtui.capture.reruns.what_if_values import WhatIfValues
from lstmtui.capture.to_numpy import numpy_of
from lstmtui.capture.unrolled import SEGMENT, run_backwards
from lstmtui.errors import UserError
from lstmtui.trace import Trace
from lstmtui.trace.edits import Edit
from lstmtui.trace.keys import array_key
from lstmtui.wording import first_line

_EMBEDDING = "parameter_gradients/embedding.weight"


def layer_derivative_keys(trace: Trace) -> Iterator[str]:
    """The keys of every derivative inside the layers, and of where each is read."""
    for index, layer in enumerate(trace.layers):
        for direction in layer.directions:
            for quantity in ("x", *trace.cell(index).quantities):
                yield array_key("d" + quantity, index, direction)
            for state in trace.cell(index).states:
                yield array_key("initial/d" + state, index, direction)
            if (reads := array_key("reads", index, direction)) in trace.arrays:
                yield reads


def derivative_keys(trace: Trace) -> frozenset[str]:
    """The keys of everything :func:`derivatives` gives: dy and the embedding's gradient where there are."""
    keys = set(layer_derivative_keys(trace))
    for layer in trace.layers:
        for names in layer.parameters.values():
            keys |= {"parameter_gradients/" + name for name in names.values()}
    if trace.header.output_kind == "head":
        keys |= {"parameter_gradients/head.weight", "parameter_gradients/head.bias"}
    if trace.header.output_kind != "custom" and "y" in trace.arrays:
        keys.add("dy")
    if {"parameters/embedding.weight", "tokens"} <= set(trace.arrays):
        keys.add(_EMBEDDING)
    return frozenset(keys)


def derivatives(
    stack: RecordedStack, values: Mapping[str, Array], edits: Sequence[Edit], head_and_loss: HeadAndLoss
) -> dict[str, Array]:
    """Every total derivative and parameter gradient of a run.

    Args:
        stack: the model.
        values: the values of the run.
        edits: what was changed in it, apart from y.
        head_and_loss: its output and loss.

    Raises:
        UserError: the device cannot do it, for want of memory.
    """
    try:
        arrays, d_h = _of_head_and_loss(stack, values, head_and_loss)
        for layer in reversed(stack.layers):
            d_h = _of_layer(stack, values, edits, layer, d_h, arrays)
    except RuntimeError as error:
        why = first_line(error)
        raise UserError(f"{stack.trace.name}: cannot work out the derivatives: {why}") from error
    if _EMBEDDING in derivative_keys(stack.trace):
        arrays[_EMBEDDING] = _of_embedding(stack, edits, arrays[array_key("dx", 0, "forward")])
    return arrays


def recorded_derivatives(stack: RecordedStack, edits: Sequence[Edit]) -> dict[str, Array]:
    """The same of a run that the edits have changed in no number: as recorded."""
    keys = derivative_keys(stack.trace)
    result = {key: stack.trace.arrays[key] for key in keys}
    if _EMBEDDING in keys:
        result[_EMBEDDING] = _of_embedding(stack, edits, result[array_key("dx", 0, "forward")])
    return result


def _of_head_and_loss(
    stack: RecordedStack, arrays: Mapping[str, Array], head_and_loss: HeadAndLoss
) -> tuple[dict[str, Array], Tensor]:
    """The derivatives by y and by the head's parameters, and by h of the last layer."""
    h = stack.tensor(stack.last_h(arrays)).requires_grad_()
    for parameter in head_and_loss.head.values():
        parameter.requires_grad_()
    with torch.enable_grad():
        y = head_and_loss.y(h)
        loss = head_and_loss.loss(h, y)
    assert loss is not None
    sources = {"h": h, **({} if y is None else {"dy": y})}
    sources |= {"parameter_gradients/" + name: p for name, p in head_and_loss.head.items()}
    gradients: dict[str, Tensor] = {name: torch.zeros_like(source) for name, source in sources.items()}
    if loss.requires_grad:
        by_source = torch.autograd.grad(loss, list(sources.values()), allow_unused=True)
        gradients |= {n: g for n, g in zip(sources, by_source, strict=True) if g is not None}
    d_h = gradients.pop("h")
    if "y" not in arrays:
        gradients.pop("dy", None)
    return {name: numpy_of(gradient) for name, gradient in gradients.items()}, d_h


def _of_layer(
    stack: RecordedStack,
    arrays: Mapping[str, Array],
    edits: Sequence[Edit],
    layer: int,
    d_h: Tensor,
    results: dict[str, Array],
) -> Tensor:
    """Put the derivatives of one layer into `found`; returns those by its x, which both directions read."""
    directions = stack.trace.layers[layer].directions
    totals = []
    for direction, d_output in zip(directions, d_h.chunk(len(directions), -1), strict=True):
        own = [e for e in edits if (e.layer, e.direction) == (layer, direction) and e.quantity != "x"]
        recording = _backwards(
            stack, arrays, layer, direction, WhatIfValues(own, stack.steps, direction), d_output
        )
        if (reads := array_key("reads", layer, direction)) in stack.trace.arrays:
            results[reads] = sizes_of(d_output)
        for quantity, tensor in recording.derivatives.items():
            ordered = tensor.flip(0) if direction == "backward" else tensor
            if quantity == "x":
                totals.append(ordered)
            else:
                results[array_key("d" + quantity, layer, direction)] = numpy_of(ordered)
        for state in recording.cell.states:
            results[array_key("initial/d" + state, layer, direction)] = numpy_of(
                recording.initial["d" + state]
            )
        names = stack.trace.layers[layer].parameters[direction]
        for base, tensor in recording.parameter_derivatives.items():
            results["parameter_gradients/" + names[base]] = numpy_of(tensor)
    d_x = totals[0] if len(totals) == 1 else totals[0] + totals[1]
    results |= dict.fromkeys((array_key("dx", layer, d) for d in directions), numpy_of(d_x))
    return d_x


def _backwards(
    stack: RecordedStack,
    arrays: Mapping[str, Array],
    layer: int,
    direction: str,
    what_ifs: WhatIfValues,
    d_output: Tensor,
) -> Recording:
    parameters = stack.parameters(layer, direction)
    recording = Recording(stack.trace.cell(layer), parameters, Progress(), observe=what_ifs)
    recording.valid = stack.valid(direction)
    recording.edges = [
        stack.states_before(arrays, layer, direction, start) for start in range(0, stack.steps, SEGMENT)
    ]
    x = stack.tensor(in_order(arrays[array_key("x", layer, direction)], direction))
    d_seen = d_output.flip(0) if direction == "backward" else d_output
    # What the loss takes of the last states it takes of h of the last timesteps, which is the same.
    d_states = tuple(torch.zeros_like(s) for s in recording.edges[0])
    run_backwards(recording, parameters, x, d_seen, d_states)
    return recording


def _of_embedding(stack: RecordedStack, edits: Sequence[Edit], d_x: Array) -> Array:
    """The embedding's gradient: dx of every timestep goes to its token, unless x was put in its place."""
    d_x = d_x.copy()
    for edit in edits:
        if edit.quantity == "x":
            unit = slice(None) if edit.unit is None else edit.unit
            d_x[edit.start : edit.stop + 1, edit.batch, unit] = 0
    weight = stack.trace.arrays["parameters/embedding.weight"]
    total = np.zeros_like(weight)
    np.add.at(total, np.asarray(stack.trace.arrays["tokens"]), d_x)
    return total

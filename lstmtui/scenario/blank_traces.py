"""What a scenario would record, without its numbers: every array has its shape, and is 0."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmtui.scenario.models.parameters import expected_shapes
from lstmtui.scenario.scenario import ModelSpec, Scenario
from lstmtui.trace import Header, Layer, Trace, Traces
from lstmtui.trace.keys import array_key

if TYPE_CHECKING:
    from lstmtui.arrays import Array


def blank_traces(scenario: Scenario) -> Traces | None:
    """A trace of each model, in which what can be named is named; it takes no memory and no time.

    Returns:
        None where one of the models is Python code, of which nothing is known before it runs.
    """
    specs = [spec for spec in scenario.models if isinstance(spec, ModelSpec)]
    if len(specs) < len(scenario.models):
        return None
    return Traces({spec.name: _blank(scenario, spec) for spec in specs})


def _blank(scenario: Scenario, spec: ModelSpec) -> Trace:
    source, layout = scenario.input, spec.layout
    layers = tuple(Layer.of(layout, index) for index in range(layout.num_layers))
    output = spec.output_size
    sizes = {(-1, "", "y"): output, (-1, "", "dy"): output}
    for index, layer in enumerate(layers):
        for direction in layer.directions:
            for name in layer.quantities:
                sizes |= {(index, direction, prefix + name): layer.size(name) for prefix in ("", "d")}
    arrays = {
        name if index < 0 else array_key(name, index, direction): _zeros(source.steps, source.batch, size)
        for (index, direction, name), size in sizes.items()
    }
    for index, layer in enumerate(layers):
        for direction in layer.directions:
            for state in layout.cell.states:
                key = array_key("initial/" + state, index, direction)
                arrays[key] = _zeros(source.batch, layer.size(state))
    for name, shape in expected_shapes(layout, source.size, spec.embedding, spec.head).items():
        arrays["parameters/" + name] = _zeros(*shape)
    if source.lengths is not None:
        arrays["lengths"] = source.lengths
    header = Header(
        spec.name,
        layers,
        source.steps,
        source.batch,
        output_kind="hidden" if spec.head is None else "head",
        loss=0.0,
    )
    return Trace(header, arrays)


def _zeros(*shape: int) -> Array:
    import numpy as np

    return np.broadcast_to(np.float32(0), shape)
